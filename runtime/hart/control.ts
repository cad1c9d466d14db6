// Control and status registers, privilege, interrupts and traps of all harts. Two kinds of hart: Snitch's
// (snitch-cluster.md, sections 1.4, 1.5, 1.8), and one that follows the privileged specification 1.12 with machine
// and user mode, as QEMU's virt machine with the same extensions.

import { csrNumbers as csr } from "./csr_names.ts";
import type { HartState } from "./state.ts";

/** Which behaviour a hart's CSRs have; field `harts.core.csrs` of a target. */
export type CsrSet = "snitch" | "standard";

/** Exception codes of mcause. */
export const causes = {
  instructionMisaligned: 0,
  illegal: 2,
  breakpoint: 3,
  loadMisaligned: 4,
  storeMisaligned: 6,
  userCall: 8,
  machineCall: 11,
} as const;

const causeNames: Record<number, string> = {
  0: "a jump to an address that is not a multiple of 4",
  2: "an illegal instruction",
  3: "ebreak",
  4: "a misaligned load or atomic",
  6: "a misaligned store or atomic",
  8: "ecall from user mode",
  11: "ecall",
};

/** An mcause value in words. */
export function causeName(cause: number): string {
  return cause < 0 ? `interrupt ${cause & 0x7fff_ffff}` : causeNames[cause] ?? `cause ${cause}`;
}

/** Bits of mip and mie. */
export const interrupts = { machineSoftware: 3, machineTimer: 7, machineExternal: 11, cluster: 19 } as const;

/** Interrupts by priority, highest first (section 1.4). */
const priority = [11, 7, 3, 19, 20, 9, 1, 5, 17];

const machine = 3, user = 0;
const misaBase = 0x4000_0000 | 1 << 0 | 1 << 8 | 1 << 12, misaUser = 1 << 20, misaCustom = 1 << 23;
const mie = 3, mpie = 7, spp = 8, mpp = 11;

/** Bits of mie that can be set, and of mip that software can set. */
const enableMask = { snitch: 0x001a_0aaa, standard: 1 << 3 | 1 << 7 | 1 << 11 } as const;
const softwarePendingMask = { snitch: 1 << 1 | 1 << 5 | 1 << 9 | 1 << 17, standard: 0 } as const;

/** Registers that hold what is written to them and do nothing else. */
const plain: Record<CsrSet, readonly number[]> = {
  snitch: [
    csr.mscratch,
    csr.satp,
    csr.sscratch,
    csr.sepc,
    csr.scause,
    csr.stvec,
    csr.user_low,
    csr.user_high,
    csr.copift,
  ],
  // One entry of memory protection, for software that sets it to allow everything; it guards nothing.
  standard: [csr.mscratch, csr.mtval, csr.mcounteren, csr.pmpcfg0, csr.pmpaddr0],
};

/** Numbers that the standard hart has and that read 0: mhpmcounters, mcountinhibit (nothing can stop a counter) … */
function readsZero(number: number): boolean {
  return number === csr.mstatush || number === csr.mcountinhibit || number === csr.tselect ||
    number === csr.tdata1 ||
    number === csr.tdata2 ||
    (number >= 0x323 && number <= 0x33f) || (number >= 0xb03 && number <= 0xb1f) ||
    (number >= 0xb83 && number <= 0xb9f) || (number >= 0xf11 && number <= 0xf13);
}

/** The CSRs of all harts. */
export class Control {
  readonly privilege: Uint8Array;
  /** 1 while a hart would take an interrupt before its next instruction. */
  readonly interrupted: Uint8Array;
  /** Harts that might be interrupted at any time, as a mask. */
  interruptible = 0;
  readonly mepc: Int32Array;
  readonly mtvec: Int32Array;
  readonly mcause: Int32Array;
  readonly #enabled: Int32Array;
  readonly #lines: Int32Array;
  readonly #software: Int32Array;
  readonly #status: Int32Array;
  readonly #plain: Map<number, Int32Array>;
  readonly #cycleOffset: BigInt64Array;
  readonly #retiredOffset: BigInt64Array;
  readonly #set: CsrSet;
  readonly #dmaHart: number;
  readonly #retired: Float64Array;

  /** @param dmaHart the hart with a custom extension, or -1 */
  constructor(state: HartState, set: CsrSet, dmaHart: number) {
    const harts = state.count;
    this.#set = set;
    this.#retired = state.retired;
    this.#dmaHart = dmaHart;
    const words = () => new Int32Array(harts);
    this.privilege = new Uint8Array(harts).fill(machine);
    this.interrupted = new Uint8Array(harts);
    this.mepc = words();
    this.mtvec = words();
    this.mcause = words();
    this.#enabled = words();
    this.#lines = words();
    this.#software = words();
    this.#status = words().fill(machine << mpp);
    this.#plain = new Map(plain[set].map((number) => [number, words()]));
    this.#cycleOffset = new BigInt64Array(harts);
    this.#retiredOffset = new BigInt64Array(harts);
  }

  /** Puts a hart where Snitch's boot ROM leaves it when it calls a program (section 1.4). */
  bootFromRom(hart: number, mtvec: number): void {
    this.#status[hart] = machine << mpp | 1 << mpie;
    this.mcause[hart] = 1 << 31 | interrupts.cluster;
    this.#enabled[hart] = 1 << interrupts.cluster | 1 << interrupts.machineSoftware;
    this.mtvec[hart] = mtvec;
    this.#update(hart);
  }

  /** Pending interrupts of a hart: bits of mip. */
  pending(hart: number): number {
    return this.#lines[hart] | this.#software[hart];
  }

  /** Whether an enabled interrupt is pending: what ends a wfi. */
  wakes(hart: number): boolean {
    return (this.pending(hart) & this.#enabled[hart]) !== 0;
  }

  /** Whether an interrupt line could ever end a wfi of the hart. */
  enables(hart: number, line: number): boolean {
    return (this.#enabled[hart] >>> line & 1) === 1;
  }

  /** Raises or lowers an interrupt line. */
  setLine(hart: number, line: number, high: boolean): void {
    if (high) this.#lines[hart] |= 1 << line;
    else this.#lines[hart] &= ~(1 << line);
    this.#update(hart);
  }

  #update(hart: number): void {
    const open = this.privilege[hart] < machine || (this.#status[hart] >>> mie & 1) === 1;
    if (open && this.#enabled[hart] !== 0) this.interruptible |= 1 << hart;
    else this.interruptible &= ~(1 << hart);
    this.interrupted[hart] = open && this.wakes(hart) ? 1 : 0;
  }

  /** mcause of the interrupt that a hart takes now. */
  interruptCause(hart: number): number {
    const waiting = this.pending(hart) & this.#enabled[hart];
    return 1 << 31 | priority.find((line) => (waiting >>> line & 1) === 1)!;
  }

  /**
   * Enters the trap handler.
   *
   * @param value what mtval shows, where the hart has one
   * @returns the handler's address
   */
  trap(hart: number, cause: number, value: number, pc: number): number {
    const status = this.#status[hart];
    this.#status[hart] = (status & ~(1 << mie | 1 << mpie | 3 << mpp)) | (status >>> mie & 1) << mpie |
      this.privilege[hart] << mpp;
    this.privilege[hart] = machine;
    this.mcause[hart] = cause;
    this.mepc[hart] = pc;
    const mtval = this.#plain.get(csr.mtval);
    if (mtval) mtval[hart] = value;
    this.#update(hart);
    const base = this.mtvec[hart] & ~3;
    return (this.mtvec[hart] & 1) === 1 && cause < 0 ? base + 4 * (cause & 0x7fff_ffff) : base;
  }

  /** MRET. Returns the address to go on at, or undefined if the instruction is illegal in the hart's mode. */
  leave(hart: number): number | undefined {
    if (this.privilege[hart] < machine) return undefined;
    const status = this.#status[hart];
    this.privilege[hart] = status >>> mpp & 3;
    this.#status[hart] = (status & ~(1 << mie | 3 << mpp)) | 1 << mpie | (status >>> mpie & 1) << mie |
      user << mpp;
    this.#update(hart);
    return this.mepc[hart];
  }

  /** Value of a CSR; undefined if the access is illegal. */
  read(hart: number, number: number, cycle: number): number | undefined {
    if ((number >>> 8 & 3) > this.privilege[hart]) return undefined;
    const stored = this.#plain.get(number);
    if (stored) return stored[hart];
    switch (number) {
      case csr.mstatus:
        return this.#status[hart];
      case csr.misa:
        return misaBase | (this.#set === "standard" ? misaUser : 0) |
          (hart === this.#dmaHart ? misaCustom : 0);
      case csr.mie:
        return this.#enabled[hart];
      case csr.mip:
        return this.pending(hart);
      case csr.mtvec:
        return this.mtvec[hart];
      case csr.mepc:
        return this.mepc[hart];
      case csr.mcause:
        return this.mcause[hart];
      case csr.mhartid:
        return hart;
      case csr.mcycle:
        return Number(this.#cycles(hart, cycle) & 0xffff_ffffn) | 0;
      case csr.mcycleh:
        return Number(this.#cycles(hart, cycle) >> 32n) | 0;
      case csr.minstret:
        return Number(this.#instructions(hart) & 0xffff_ffffn) | 0;
      case csr.minstreth:
        return Number(this.#instructions(hart) >> 32n) | 0;
    }
    return this.#set === "snitch" ? this.#readSnitch(number) : this.#readStandard(hart, number, cycle);
  }

  #cycles(hart: number, cycle: number): bigint {
    return BigInt.asUintN(64, BigInt(cycle) + this.#cycleOffset[hart]);
  }

  #instructions(hart: number): bigint {
    return BigInt.asUintN(64, BigInt(this.#retired[hart]) + this.#retiredOffset[hart]);
  }

  /** Unknown numbers read 0 and do not trap; those of the absent FPU do. */
  #readSnitch(number: number): number | undefined {
    const float = number === csr.fflags || number === csr.frm || number === csr.fcsr || number === csr.fmode;
    return float ? undefined : 0;
  }

  #readStandard(hart: number, number: number, cycle: number): number | undefined {
    const counter = number & ~0x80;
    if (counter >= csr.cycle && counter <= csr.instret) {
      const enabled = this.#plain.get(csr.mcounteren)![hart] >>> (counter & 31) & 1;
      if (this.privilege[hart] < machine && !enabled) return undefined;
      const value = counter === csr.instret ? this.#instructions(hart) : this.#cycles(hart, cycle);
      return Number(number === counter ? value & 0xffff_ffffn : value >> 32n) | 0;
    }
    return readsZero(number) ? 0 : undefined;
  }

  /** Writes a CSR that {@link read} has allowed. Returns false if writing it is illegal. */
  write(hart: number, number: number, value: number, cycle: number): boolean {
    const readOnly = number >>> 10 === 3;
    if (readOnly) return this.#set === "snitch";
    const stored = this.#plain.get(number);
    if (stored) {
      stored[hart] = value;
      return true;
    }
    switch (number) {
      case csr.mstatus: {
        const mode = value >>> mpp & 3;
        const kept = mode === machine || mode === user ? mode : this.#status[hart] >>> mpp & 3;
        const writable = 1 << mie | 1 << mpie | (this.#set === "snitch" ? 1 << spp : 0);
        this.#status[hart] = value & writable | kept << mpp;
        break;
      }
      case csr.mie:
        this.#enabled[hart] = value & enableMask[this.#set];
        break;
      case csr.mip:
        this.#software[hart] = value & softwarePendingMask[this.#set];
        break;
      case csr.mtvec:
        this.mtvec[hart] = value & (this.#set === "snitch" ? ~3 : ~2);
        break;
      case csr.mepc:
        this.mepc[hart] = value & ~3;
        break;
      case csr.mcause:
        this.mcause[hart] = value;
        break;
      default:
        if (this.#set === "standard") this.#writeCounter(hart, number, value, cycle);
    }
    this.#update(hart);
    return true;
  }

  /** The next instruction reads what was written to a counter: the write's own count is left out. */
  #writeCounter(hart: number, number: number, value: number, cycle: number): void {
    const counter = number & ~0x80;
    if (counter !== csr.mcycle && counter !== csr.minstret) return;
    const now = counter === csr.mcycle ? BigInt(cycle + 1) : BigInt(this.#retired[hart] + 1);
    const offsets = counter === csr.mcycle ? this.#cycleOffset : this.#retiredOffset;
    const previous = BigInt.asUintN(64, now - 1n + offsets[hart]);
    const word = BigInt(value >>> 0);
    const next = number === counter ? previous >> 32n << 32n | word : word << 32n | previous & 0xffff_ffffn;
    offsets[hart] = BigInt.asIntN(64, next - now);
  }
}
