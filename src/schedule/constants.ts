// Collects the bytes of all constants: each on a beat of the DMA, equal ones once.

import { createHash } from "node:crypto";
import type { TensorData } from "../model/types.ts";
import { aligned } from "./budget.ts";

/** Constants as one block of bytes, growing. */
export class Constants {
  /** What was placed, in order: the name under which it came first. */
  readonly parts: { readonly name: string; readonly bytes: Uint8Array; readonly offset: number }[] = [];
  readonly #names = new Map<string, string>();
  #end = 0;

  /** Takes the elements in, unless equal bytes are there; returns the name under which they are found. */
  place(name: string, data: TensorData): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${bytes.length}:${createHash("sha256").update(bytes).digest("base64")}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    this.#names.set(key, name);
    this.parts.push({ name, bytes, offset: this.#end });
    this.#end += aligned(bytes.length);
    return name;
  }

  /** The block. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.#end);
    for (const { bytes, offset } of this.parts) all.set(bytes, offset);
    return all;
  }
}
