// From names to addresses and back: what an error message or a profile calls an address.

import type { Image, ImageSymbol } from "./types.ts";

/** A symbol and the distance of an address from its start, in bytes. */
export interface Location {
  symbol: ImageSymbol;
  offset: number;
}

/**
 * Finds a symbol by its exact name.
 *
 * @returns the symbol, or undefined; of several with that name (static functions) the lowest
 */
export function findSymbol(image: Image, name: string): ImageSymbol | undefined {
  return image.symbols.find((symbol) => symbol.name === name);
}

/**
 * Finds the function or object that an address is in.
 *
 * A symbol with a size counts only inside that size. A label counts up to the next symbol and to the end of its
 * function or segment. Absolute symbols are numbers and never count.
 *
 * @returns the location, or undefined where the image has no name for the address
 */
export function symbolAt(image: Image, address: number): Location | undefined {
  const segment = image.segments.find((s) => address >= s.address && address - s.address < s.memorySize);
  if (!segment) return undefined;
  let label: ImageSymbol | undefined;
  let sized = false;
  for (let i = lastNotAbove(image.symbols, address); i >= 0; i--) {
    const symbol = image.symbols[i];
    if (symbol.address < segment.address) break;
    if (symbol.kind === "absolute") continue;
    if (symbol.size > 0) {
      if (address - symbol.address < symbol.size) return { symbol, offset: address - symbol.address };
      sized = true;
      // A label inside a function ends where the function does.
      if (label && symbol.address + symbol.size > label.address) label = undefined;
    } else if (!sized) {
      label ??= symbol;
    }
  }
  return label && { symbol: label, offset: address - label.address };
}

/**
 * Text for an address: `name+0x1c`, `name` at its very start, or `?` where there is no name.
 *
 * @param image image whose symbols are asked; without one the answer is `?`
 */
export function describeAddress(image: Image | undefined, address: number): string {
  const location = image && symbolAt(image, address);
  if (!location) return "?";
  return location.offset === 0
    ? location.symbol.name
    : `${location.symbol.name}+0x${location.offset.toString(16)}`;
}

/** Index of the last symbol whose address is not above `address`, or -1. */
function lastNotAbove(symbols: ImageSymbol[], address: number): number {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols[middle].address <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
