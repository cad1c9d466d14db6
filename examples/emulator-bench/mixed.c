/* Many small pieces of code, each hot for a short while: what a program looks like that ends soon. */
#include "bench.h"

enum { NODES = 256, SIDE = 24, TEXT = 1024, PLACES = 48, FAR = 1 << 28 };

struct node {
    struct node *next;
    uint32_t key;
};

static struct node nodes[NODES];
static int16_t left[SIDE * SIDE], right[SIDE * SIDE];
static int32_t product[SIDE * SIDE];
static char text[TEXT];
static int32_t distance[PLACES], weight[PLACES][PLACES];
static uint8_t composite[2048], seen[PLACES], table[64][64];
static uint32_t heap[NODES], counts[16];

static KERNEL struct node *merge(struct node *a, struct node *b) {
    struct node first, *last = &first;
    while (a && b) {
        struct node **less = a->key <= b->key ? &a : &b;
        last = last->next = *less;
        *less = (*less)->next;
    }
    last->next = a ? a : b;
    return first.next;
}

static struct node *sort_list(struct node *list, int length) {
    if (length == 1) {
        list->next = NULL;
        return list;
    }
    struct node *middle = list;
    for (int i = 0; i < length / 2; i++) middle = middle->next;
    struct node *upper = sort_list(middle, length - length / 2);
    return merge(sort_list(list, length / 2), upper);
}

static KERNEL uint32_t sort_nodes(uint32_t *state) {
    for (int i = 0; i < NODES; i++) nodes[i] = (struct node){&nodes[i + 1], next_random(state)};
    nodes[NODES - 1].next = NULL;
    uint32_t hash = HASH_START;
    for (struct node *at = sort_list(nodes, NODES); at; at = at->next) hash = mix(hash, at->key);
    return hash;
}

static KERNEL void sift_down(int at, int length) {
    for (int child; (child = 2 * at + 1) < length; at = child) {
        if (child + 1 < length && heap[child + 1] > heap[child]) child++;
        if (heap[at] >= heap[child]) return;
        uint32_t value = heap[at];
        heap[at] = heap[child];
        heap[child] = value;
    }
}

static KERNEL uint32_t sort_heap(uint32_t *state) {
    for (int i = 0; i < NODES; i++) heap[i] = next_random(state);
    for (int i = NODES / 2; i-- > 0;) sift_down(i, NODES);
    for (int length = NODES; length-- > 1;) {
        uint32_t most = heap[0];
        heap[0] = heap[length];
        heap[length] = most;
        sift_down(0, length);
    }
    return heap[0] ^ heap[NODES / 2];
}

static KERNEL uint32_t multiply(uint32_t *state) {
    for (int i = 0; i < SIDE * SIDE; i++) left[i] = (int16_t)next_random(state), right[i] = (int16_t)i;
    for (int row = 0; row < SIDE; row++) {
        for (int column = 0; column < SIDE; column++) {
            int32_t sum = 0;
            for (int k = 0; k < SIDE; k++) sum += left[row * SIDE + k] * right[k * SIDE + column];
            product[row * SIDE + column] = sum;
        }
    }
    uint32_t hash = HASH_START;
    for (int i = 0; i < SIDE * SIDE; i++) hash = mix(hash, (uint32_t)product[i]);
    return hash;
}

static KERNEL int write_number(char *to, uint32_t value) {
    char digits[10];
    int count = 0, length = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0) to[length++] = digits[--count];
    return length;
}

static KERNEL int write_text(uint32_t *state) {
    int length = 0;
    while (length < TEXT - 16) {
        length += write_number(text + length, next_random(state) >> (next_random(state) & 31));
        text[length++] = " ,;+-xe."[next_random(state) & 7];
    }
    return length;
}

static KERNEL uint32_t read_numbers(int length) {
    enum { START, WHOLE, FRACTION, EXPONENT, WRONG } kind = START;
    uint32_t sum = 0, value = 0;
    for (int i = 0; i < length; i++) {
        char c = text[i];
        counts[kind]++;
        if (c == ' ' || c == ',' || c == ';') {
            if (kind != WRONG) sum += value;
            kind = START;
            value = 0;
            continue;
        }
        switch (kind) {
        case START: kind = c >= '0' && c <= '9' ? WHOLE : c == '+' || c == '-' ? START : WRONG; break;
        case WHOLE: kind = c == '.' ? FRACTION : c == 'e' ? EXPONENT : c < '0' ? START : c > '9' ? WRONG : WHOLE; break;
        case FRACTION: kind = c == 'e' ? EXPONENT : c < '0' || c > '9' ? WRONG : FRACTION; break;
        case EXPONENT: kind = c < '0' || c > '9' ? WRONG : EXPONENT; break;
        default: break;
        }
        if (kind == WHOLE) value = value * 10 + (uint32_t)(c - '0');
    }
    return sum;
}

static KERNEL uint32_t check_text(int length) {
    uint32_t crc = 0xffffu;
    for (int i = 0; i < length; i++) {
        crc ^= (uint32_t)(uint8_t)text[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xa001u : crc >> 1;
    }
    return crc;
}

static KERNEL uint32_t shortest_ways(uint32_t *state) {
    for (int i = 0; i < PLACES; i++) {
        distance[i] = FAR;
        seen[i] = 0;
        for (int k = 0; k < PLACES; k++) weight[i][k] = (int32_t)(next_random(state) & 1023) + 1;
    }
    distance[0] = 0;
    for (int step = 0; step < PLACES; step++) {
        int nearest = -1;
        for (int i = 0; i < PLACES; i++) {
            if (!seen[i] && (nearest < 0 || distance[i] < distance[nearest])) nearest = i;
        }
        seen[nearest] = 1;
        for (int i = 0; i < PLACES; i++) {
            int32_t way = distance[nearest] + weight[nearest][i];
            if (way < distance[i]) distance[i] = way;
        }
    }
    uint32_t hash = HASH_START;
    for (int i = 0; i < PLACES; i++) hash = mix(hash, (uint32_t)distance[i]);
    return hash;
}

static KERNEL uint32_t count_primes(void) {
    uint32_t primes = 0;
    for (int i = 0; i < 2048; i++) composite[i] = 0;
    for (int i = 2; i < 2048; i++) {
        if (composite[i]) continue;
        primes++;
        for (int k = i * i; k < 2048; k += i) composite[k] = 1;
    }
    return primes;
}

static KERNEL uint32_t place_queens(uint32_t free, uint32_t down, uint32_t up) {
    if (free == 0) return 1;
    uint32_t ways = 0;
    for (uint32_t open = free & ~(down | up); open; open &= open - 1) {
        uint32_t queen = open & -open;
        ways += place_queens(free & ~queen, (down | queen) << 1, (up | queen) >> 1);
    }
    return ways;
}

static KERNEL uint32_t common_part(void) {
    for (int i = 1; i < 64; i++) {
        for (int k = 1; k < 64; k++) {
            uint8_t above = table[i - 1][k], beside = table[i][k - 1];
            table[i][k] = text[i] == text[512 + k] ? (uint8_t)(table[i - 1][k - 1] + 1) : above > beside ? above : beside;
        }
    }
    return table[63][63];
}

static KERNEL uint32_t power(uint32_t base, uint32_t exponent, uint32_t modulus) {
    uint32_t result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) result = result * base % modulus;
        base = base * base % modulus;
    }
    return result;
}

uint32_t bench(void) {
    uint32_t state = 41, hash = HASH_START;
    for (int round = 0; round < ROUNDS; round++) {
        hash = mix(hash, sort_nodes(&state));
        hash = mix(hash, sort_heap(&state));
        hash = mix(hash, multiply(&state));
        int length = write_text(&state);
        hash = mix(hash, read_numbers(length));
        hash = mix(hash, check_text(length));
        hash = mix(hash, shortest_ways(&state));
        hash = mix(hash, count_primes());
        hash = mix(hash, place_queens(0x3f, 0, 0));
        hash = mix(hash, common_part());
        for (uint32_t i = 0; i < 32; i++) hash = mix(hash, power(hash & 0x7fff, i * 77 + 1, 40961));
    }
    for (int i = 0; i < 16; i++) hash = mix(hash, counts[i]);
    return hash;
}
