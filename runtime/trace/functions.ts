// Which function an address is in, answered often: by page of code, from the image's symbols.

import type { Target } from "../../targets/schema.ts";
import { symbolAt } from "../image/symbols.ts";
import type { Image } from "../image/types.ts";

/** Words of a page. */
const pageWords = 1024;

/** A function, or a place without a name. */
export interface CodePlace {
  readonly name: string;
  /** Address of its first instruction; 0 where nobody knows. */
  readonly address: number;
}

/** The functions of an image, by number. Number 0 is every place that has no name. */
export class FunctionTable {
  /** Places by number; grows while new pages are asked for. */
  readonly places: CodePlace[] = [{ name: "(no symbol)", address: 0 }];
  readonly #numbers = new Map<string, number>();
  readonly #slots = new Uint16Array(2 ** 20);
  readonly #pages: Int32Array[] = [new Int32Array(0)];
  readonly #image: Image;
  readonly #target: Target;

  /** @param target its ROMs give their names to code that has no symbols */
  constructor(image: Image, target: Target) {
    this.#image = image;
    this.#target = target;
  }

  /** Number of the function that the instruction at `pc` (signed or unsigned) belongs to. */
  at(pc: number): number {
    const slot = this.#slots[pc >>> 12] || this.#fill(pc >>> 12);
    return this.#pages[slot][(pc & 0xfff) >>> 2];
  }

  #fill(page: number): number {
    const numbers = new Int32Array(pageWords);
    for (let i = 0; i < pageWords; i++) numbers[i] = this.#numberOf(page * 4096 + 4 * i);
    this.#pages.push(numbers);
    return this.#slots[page] = this.#pages.length - 1;
  }

  #numberOf(address: number): number {
    const symbol = symbolAt(this.#image, address)?.symbol;
    if (symbol && symbol.kind !== "object") return this.#take(symbol.name, symbol.address);
    const rom = this.#target.memories.find(({ role, base, alias, size }) =>
      role === "rom" && [base, alias ?? base].some((start) => address >= start && address - start < size)
    );
    return rom ? this.#take(`(${rom.name})`, rom.base) : 0;
  }

  /** Static functions may share a name: the address tells them apart. */
  #take(name: string, address: number): number {
    const key = `${address} ${name}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.places.length;
      this.places.push({ name, address });
      this.#numbers.set(key, number);
    }
    return number;
  }
}
