// The cluster's boot ROM (snitch-cluster.md, section 1.4): harts wait in it for an interrupt, then call the address
// in SCRATCH[1]. The emulator starts programs as the ROM has called them; a hart that returns goes on in here.

import { type Control, interrupts } from "../hart/control.ts";
import { encode } from "../hart/encoding.ts";
import { csrNumbers } from "../hart/csr_names.ts";

import type { HartState } from "../hart/state.ts";

const zero = 0, ra = 1, t0 = 5;

/** Words of the ROM, and where in it the interrupts and a returning program arrive (bytes from its base). */
interface BootRom {
  readonly words: readonly number[];
  readonly handler: number;
  readonly returned: number;
}

/**
 * Puts the ROM in place, and all harts where it has called the program at `entry`.
 *
 * @param words the ROM's memory, which is at `base`
 * @param entryRegister address of SCRATCH[1]
 */
export function bootFromRom(
  words: Int32Array,
  base: number,
  entryRegister: number,
  entry: number,
  { registers, count }: HartState,
  control: Control,
): void {
  const rom = bootRom(entryRegister);
  words.set(rom.words);
  for (let hart = 0; hart < count; hart++) {
    control.bootFromRom(hart, base + rom.handler);
    control.setLine(hart, interrupts.cluster, true);
    registers[hart * 64 + ra] = base + rom.returned;
    registers[hart * 64 + t0] = entry;
  }
}

function bootRom(entryRegister: number): BootRom {
  const wait = [
    encode("auipc", { rd: t0 }),
    // mtvec := handler, which stands behind these instructions.
    encode("addi", { rd: t0, rs1: t0, imm: 9 * 4 }),
    encode("csrrw", { rd: zero, rs1: t0, csr: csrNumbers.mtvec }),
    encode("lui", { rd: t0, imm: 0x80 << 12 }),
    encode("addi", { rd: t0, rs1: t0, imm: 8 }),
    encode("csrrw", { rd: zero, rs1: t0, csr: csrNumbers.mie }),
    encode("csrrsi", { rd: zero, imm: 8, csr: csrNumbers.mstatus }),
    encode("wfi"),
    encode("jal", { rd: zero, imm: -4 }),
  ];
  const low = entryRegister << 20 >> 20;
  const call = [
    encode("lui", { rd: t0, imm: (entryRegister - low) | 0 }),
    encode("lw", { rd: t0, rs1: t0, imm: low }),
    encode("jalr", { rd: ra, rs1: t0 }),
    encode("jal", { rd: zero, imm: -4 * (wait.length + 3) }),
  ];
  return { words: [...wait, ...call], handler: 4 * wait.length, returned: 4 * (wait.length + 3) };
}
