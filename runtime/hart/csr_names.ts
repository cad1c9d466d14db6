// Numbers and names of the control and status registers that the emulator knows.
// RISC-V privileged specification; 0x7c0 … and 0xbc0 are Snitch's own (snitch-cluster.md, section 1.5).

/** CSR numbers by name. */
export const csrNumbers = {
  fflags: 0x001,
  frm: 0x002,
  fcsr: 0x003,
  sstatus: 0x100,
  sie: 0x104,
  stvec: 0x105,
  scounteren: 0x106,
  sscratch: 0x140,
  sepc: 0x141,
  scause: 0x142,
  stval: 0x143,
  sip: 0x144,
  satp: 0x180,
  mstatus: 0x300,
  misa: 0x301,
  medeleg: 0x302,
  mideleg: 0x303,
  mie: 0x304,
  mtvec: 0x305,
  mcounteren: 0x306,
  mstatush: 0x310,
  mcountinhibit: 0x320,
  mscratch: 0x340,
  mepc: 0x341,
  mcause: 0x342,
  mtval: 0x343,
  mip: 0x344,
  pmpcfg0: 0x3a0,
  pmpaddr0: 0x3b0,
  tselect: 0x7a0,
  tdata1: 0x7a1,
  tdata2: 0x7a2,
  ssr: 0x7c0,
  barrier: 0x7c2,
  sc: 0x7c3,
  user_low: 0x7c4,
  user_high: 0x7c5,
  copift: 0x7c6,
  dump: 0x7c7,
  fmode: 0x800,
  mcycle: 0xb00,
  minstret: 0xb02,
  mcycleh: 0xb80,
  minstreth: 0xb82,
  mseg: 0xbc0,
  cycle: 0xc00,
  time: 0xc01,
  instret: 0xc02,
  cycleh: 0xc80,
  timeh: 0xc81,
  instreth: 0xc82,
  mvendorid: 0xf11,
  marchid: 0xf12,
  mimpid: 0xf13,
  mhartid: 0xf14,
} as const;

const names = new Map<number, string>(Object.entries(csrNumbers).map(([name, number]) => [number, name]));

/** Name of a CSR, or its number where it has none. */
export function csrName(number: number): string {
  return names.get(number) ?? `0x${number.toString(16).padStart(3, "0")}`;
}
