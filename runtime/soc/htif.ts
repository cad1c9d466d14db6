// The host's side of HTIF as bare-metal programs use it: they write their exit status or a request to `tohost`
// (snitch-cluster.md, section 1.12; the RISC-V ISA tests).

import type { Image } from "../image/types.ts";
import type { MemoryAccess } from "./access.ts";
import type { HostAccess } from "./host_access.ts";

/** Memory and console, as a request needs them. */
export interface HtifContext {
  readonly memory: Pick<HostAccess, "readBytes" | "readUint32" | "writeUint32">;
  print(bytes: Uint8Array): void;
  exit(code: number): void;
}

const writeCall = 64;
/** Longest text that one request may print. */
const longestText = 1 << 16;

/** Serves the requests of an image that has a word `tohost`, with answers in `fromhost` if it has that, too. */
export function watchHtif(image: Image, access: Pick<MemoryAccess, "watch">, context: HtifContext): void {
  const [tohost, fromhost] = ["tohost", "fromhost"].map((name) =>
    image.symbols.find((symbol) => symbol.name === name && symbol.kind !== "function")?.address
  );
  if (tohost !== undefined) access.watch(tohost, () => serveHtif(context, tohost, fromhost));
}

/**
 * Serves a write to `tohost`: an odd value ends the program with status value >> 1; an even one is the address of
 * a system call's words, of which only `write` is served.
 */
function serveHtif(context: HtifContext, tohost: number, fromhost: number | undefined): void {
  const value = context.memory.readUint32(tohost);
  if (value === 0) return;
  if ((value & 1) === 1) {
    context.exit(value >>> 1);
    return;
  }
  const [call, , text, length] = [0, 1, 2, 3].map((i) => context.memory.readUint32(value + 8 * i));
  if (call === writeCall && length <= longestText) context.print(context.memory.readBytes(text, length));
  context.memory.writeUint32(tohost, 0);
  if (fromhost !== undefined) context.memory.writeUint32(fromhost, 1);
}
