// What an emulated program prints, byte by byte, handed on in whole lines.

/** Bytes of a line that is not handed on before it ends, unless it gets longer than this. */
const longest = 4096;

/** Collects bytes into text. */
export class Console {
  readonly #decoder = new TextDecoder();
  readonly #line = new Uint8Array(longest);
  #length = 0;

  /** @param hand takes each line with its end, and what is left when the program is over */
  constructor(private readonly hand: (text: string) => void) {}

  take(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#line[this.#length++] = byte;
      if (byte === 0x0a || this.#length === longest) this.#hand(true);
    }
  }

  /** Hands on what has come since the last line end. */
  flush(): void {
    this.#hand(false);
  }

  #hand(more: boolean): void {
    const text = this.#decoder.decode(this.#line.subarray(0, this.#length), { stream: more });
    this.#length = 0;
    if (text !== "") this.hand(text);
  }
}
