// The mailbox: 64 bytes of L2 (symbol `attoflow_mailbox`) through which a host runs inferences.
// Anything that can read and write the SoC's memory can serve it: the emulator, a debugger, a bus master.
//
// The protocol, seen from the host:
//   1. Load the image, start the harts, wait until STATUS is `ready`.
//   2. Write the inputs to the addresses in the manifest, write OPTIONS, then write SEQUENCE+1 to COMMAND.
//   3. Wait until STATUS is `done` (or, with option `pause`, `paused` behind each layer: read what you want, then
//      write anything but 0 to RESUME; the image clears it in front of each pause) or `failed` (ERROR says why).
//   4. Read the outputs; CYCLES is the time of this inference. SEQUENCE now equals COMMAND. Go on with 2.
//   COMMAND = 0xffffffff ends the program (exit code 0 through the finisher, where there is one).
//
// `targets/mailbox.h` is the same page for C; a test compares the two.

/** Byte offset of each 32-bit little-endian field. */
export const mailboxFields = {
  /** 0x6f747461 ("atto"), written by the image last of all when it is ready. */
  magic: 0x00,
  /** Layout version: 1. */
  version: 0x04,
  status: 0x08,
  /** Written by the host only. */
  command: 0x0c,
  /** Number of inferences finished; written by the image only. */
  sequence: 0x10,
  /** Bit 0: pause behind every layer. */
  options: 0x14,
  /** Index of the last layer finished in this inference, plus 1. */
  layer: 0x18,
  /** Anything but 0, written by the host, ends a pause. */
  resume: 0x1c,
  /** mcycle from the start to the end of the inference, low and high word. */
  cyclesLow: 0x20,
  cyclesHigh: 0x24,
  /** 0, or what went wrong: hart << 24 | 1 << 16 | low 16 bits of mcause. */
  error: 0x28,
  /** Address and length of an array of 32-bit words: mcycle, relative to the start, at the end of each layer. */
  layerCycles: 0x2c,
  layerCount: 0x30,
  /** mepc of the trap that `error` tells of. */
  errorAddress: 0x34,
} as const;

export const mailboxBytes = 64;
export const mailboxMagic = 0x6f74_7461;
export const mailboxVersion = 1;

/** Values of `status`. */
export const mailboxStatus = { booting: 0, ready: 1, running: 2, paused: 3, done: 4, failed: 5 } as const;

/** Bits of `options`. */
export const mailboxOptions = { pause: 1 } as const;

/** Value of `command` that ends the program. */
export const mailboxExit = 0xffff_ffff;
