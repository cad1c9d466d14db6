// The host's side of HTIF as bare-metal programs use it: they write their exit status or a request to `tohost`
// (snitch-cluster.md, section 1.12; the RISC-V ISA tests).

/** Memory and console, as a request needs them. */
export interface HtifContext {
  readUint32(address: number): number;
  writeUint32(address: number, value: number): void;
  readBytes(address: number, length: number): Uint8Array;
  print(bytes: Uint8Array): void;
  exit(code: number): void;
}

const writeCall = 64;
/** Longest text that one request may print. */
const longestText = 1 << 16;

/**
 * Serves a write to `tohost`: an odd value ends the program with status value >> 1; an even one is the address of
 * a system call's words, of which only `write` is served.
 */
export function serveHtif(context: HtifContext, tohost: number, fromhost: number | undefined): void {
  const value = context.readUint32(tohost);
  if (value === 0) return;
  if ((value & 1) === 1) {
    context.exit(value >>> 1);
    return;
  }
  const [call, , text, length] = [0, 1, 2, 3].map((i) => context.readUint32(value + 8 * i));
  if (call === writeCall && length <= longestText) context.print(context.readBytes(text, length));
  context.writeUint32(tohost, 0);
  if (fromhost !== undefined) context.writeUint32(fromhost, 1);
}
