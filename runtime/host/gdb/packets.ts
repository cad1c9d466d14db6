// Packets of the GDB remote serial protocol: `$text#checksum`, acknowledged by + and -, and the lone byte of Ctrl-C.
// Text is binary: a character stands for a byte, 0 to 255.

/** What has come over the line. `bad`: a packet that is damaged or too long. */
export type Received =
  | { readonly kind: "packet"; readonly text: string }
  | { readonly kind: "bad" | "interrupt" | "acknowledged" | "repeat" };

/** Bytes that a packet may have, either way; we tell the other side. */
export const longestPacket = 0x4000;

const dollar = 0x24, hash = 0x23, plus = 0x2b, minus = 0x2d, escapeByte = 0x7d, interrupt = 0x03;
const escapeBit = 0x20;

/** Takes bytes as they come and cuts them into packets. Never fails. */
export class PacketReader {
  #state: "between" | "inside" | "checksum" = "between";
  #text = "";
  #sum = 0;
  #escaped = false;
  #isTooLong = false;
  #digits = "";

  /** Takes some bytes. */
  *take(bytes: Uint8Array): Generator<Received> {
    for (const byte of bytes) {
      const received = this.#state === "between"
        ? this.#between(byte)
        : this.#state === "inside"
        ? this.#inside(byte)
        : this.#checksum(byte);
      if (received) yield received;
    }
  }

  #between(byte: number): Received | undefined {
    switch (byte) {
      case dollar:
        this.#begin();
        return;
      case plus:
        return { kind: "acknowledged" };
      case minus:
        return { kind: "repeat" };
      case interrupt:
        return { kind: "interrupt" };
    }
  }

  #begin(): void {
    this.#state = "inside";
    this.#text = "";
    this.#sum = 0;
    this.#escaped = this.#isTooLong = false;
  }

  #inside(byte: number): undefined {
    if (byte === hash) {
      this.#state = "checksum";
      this.#digits = "";
      return;
    }
    // No packet holds this byte as it is: the end of the one before got lost.
    if (byte === dollar) return this.#begin() as undefined;
    this.#sum = (this.#sum + byte) & 0xff;
    if (byte === escapeByte && !this.#escaped) {
      this.#escaped = true;
      return;
    }
    if (this.#text.length < longestPacket) {
      this.#text += String.fromCharCode(this.#escaped ? byte ^ escapeBit : byte);
    } else this.#isTooLong = true;
    this.#escaped = false;
  }

  #checksum(byte: number): Received | undefined {
    this.#digits += String.fromCharCode(byte);
    if (this.#digits.length < 2) return;
    this.#state = "between";
    const isGood = /^[0-9a-f]{2}$/i.test(this.#digits) && parseInt(this.#digits, 16) === this.#sum;
    return isGood && !this.#isTooLong ? { kind: "packet", text: this.#text } : { kind: "bad" };
  }
}

/** A packet as it goes over the line. */
export function encodePacket(text: string): Uint8Array<ArrayBuffer> {
  const bytes = [dollar];
  let sum = 0;
  const put = (byte: number) => {
    bytes.push(byte);
    sum = (sum + byte) & 0xff;
  };
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i) & 0xff;
    if (byte === dollar || byte === hash || byte === escapeByte || byte === 0x2a) {
      put(escapeByte);
      put(byte ^ escapeBit);
    } else put(byte);
  }
  const digits = sum.toString(16).padStart(2, "0");
  return Uint8Array.from([...bytes, hash, digits.charCodeAt(0), digits.charCodeAt(1)]);
}

/** Bytes as hexadecimal digits. */
export function hexOfBytes(bytes: Iterable<number>): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Bytes from hexadecimal digits; undefined if they are none. */
export function bytesOfHex(digits: string): Uint8Array | undefined {
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined;
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** A word as the protocol has registers: eight digits, the lowest byte first. */
export function hexOfWord(word: number): string {
  return hexOfBytes([word, word >>> 8, word >>> 16, word >>> 24].map((byte) => byte & 0xff));
}

/** The word of eight digits, the lowest byte first. */
export function wordOfHex(digits: string): number | undefined {
  const bytes = digits.length === 8 ? bytesOfHex(digits) : undefined;
  return bytes && (bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24);
}

/** Text in UTF-8 as hexadecimal digits. */
export function hexOfText(text: string): string {
  return hexOfBytes(new TextEncoder().encode(text));
}
