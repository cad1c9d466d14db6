// What an image is once it has been read: where its bytes go, where it starts, what its addresses are called.
// A plain value; the SoC loads it, the session looks symbols up in it.

/** Bits of `Segment.flags`, as ELF numbers them (PF_X, PF_W, PF_R). */
export const segmentFlags = { execute: 1, write: 2, read: 4 } as const;

/** A piece of memory that the image fills. */
export interface Segment {
  /** Physical address of the first byte. */
  address: number;
  /** The bytes that the file holds; a view of the file, never a copy. */
  bytes: Uint8Array;
  /** Bytes in memory, at least `bytes.length`; what is beyond `bytes` starts as zeros. Nobody has allocated it. */
  memorySize: number;
  /** `segmentFlags`. */
  flags: number;
}

/** `label` is a name without type or size, as assembly makes them; `absolute` is a number, not a place. */
export type SymbolKind = "function" | "object" | "label" | "absolute";

/** A name that the linker knew. */
export interface ImageSymbol {
  name: string;
  address: number;
  /** Bytes, 0 if unknown. */
  size: number;
  kind: SymbolKind;
}

/** A bare-metal program as the linker left it. */
export interface Image {
  /** Address of the first instruction. */
  entry: number;
  /** In ascending order of address; none overlaps another, none is empty. */
  segments: Segment[];
  /** In ascending order of address. Empty if the image is stripped. */
  symbols: ImageSymbol[];
}
