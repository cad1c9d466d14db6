// Nine harts run random programs at once, sharing multiplier, caches and banks, and compute what each program computes
// alone on a plain machine. (What a plain machine computes is what QEMU computes: random_test.ts.)

import assert from "node:assert/strict";
import { buildSoc } from "../../runtime/host/build_soc.ts";
import { readElf } from "../../runtime/image/elf.ts";
import { loadTarget } from "../../targets/load.ts";
import { type Target, targetSchema } from "../../targets/schema.ts";
import { Assembler, type Label, x } from "./assembler.ts";
import { writeElf } from "./elf_writer.ts";
import { makeSequence } from "./generator.ts";
import { Random } from "./random.ts";
import { dataBytes, emitProgram, type Sequence } from "./random_program.ts";

const harts = 9;
const size = { sequences: 12, items: 150 };
const address = { code: 0x8000_0000, shared: 0x81f0_0000, finisher: 0x10_0000 };
/** Words in shared memory: how many programs run, and how many have ended; then the results. */
const shared = { running: address.shared, ended: address.shared + 4, results: address.shared + 64 };
const resultsOf = (hart: number) => shared.results + 4 * size.sequences * hart;

function sequencesOf(seed: number, reservations: boolean): Sequence[] {
  return Array.from({ length: size.sequences }, (_, i) => {
    const random = new Random(seed + i);
    const user = random.oneIn(4);
    const features = { misaligned: false, standard: false, reservations };
    return { seed: seed + i, user, items: makeSequence(random, size.items, features) };
  });
}

/** All programs in one image, and where each starts. With `entry` undefined each hart goes to its own. */
function build(programs: Sequence[][], data: number) {
  const code = new Assembler(address.code);
  const starts: Label[] = programs.map(() => code.label(false));
  code.emit("csrrs", { rd: x.t0, csr: 0xf14 });
  for (const [hart, start] of starts.entries()) {
    const next = code.label(false);
    code.emit("addi", { rd: x.t1, rs1: 0, imm: hart });
    code.branch("bne", { rs1: x.t0, rs2: x.t1 }, next);
    code.address(x.t1, start);
    code.emit("jalr", { rs1: x.t1 });
    code.bind(next);
  }
  for (const [hart, sequences] of programs.entries()) {
    code.bind(starts[hart]);
    const placement = { data: data + dataBytes * hart, full: false, results: resultsOf(hart), mtval: false };
    emitProgram(code, sequences, placement, () => emitEnd(code));
  }
  const segments = [
    { address: address.code, bytes: code.bytes() },
    { address: address.shared, bytes: new Uint8Array(0), memorySize: 0x1_0000 },
  ];
  return (hart?: number) =>
    readElf(
      writeElf({ entry: hart === undefined ? address.code : starts[hart].address!, segments }),
      "random programs",
    );
}

/** Counts the program as ended; the last one goes to the finisher. */
function emitEnd(code: Assembler): void {
  const sleep = code.label(false);
  code.emit("fence");
  code.constant(x.t0, shared.ended);
  code.emit("addi", { rd: x.t1, rs1: 0, imm: 1 });
  code.emit("amoadd.w", { rd: x.t2, rs1: x.t0, rs2: x.t1 });
  code.emit("add", { rd: x.t2, rs1: x.t2, rs2: x.t1 });
  code.emit("lw", { rd: x.t1, rs1: x.t0, imm: shared.running - shared.ended });
  code.branch("bne", { rs1: x.t1, rs2: x.t2 }, sleep);
  code.constant(x.t0, address.finisher);
  code.constant(x.t1, 0x5555);
  code.emit("sw", { rs1: x.t0, rs2: x.t1 });
  code.bind(sleep);
  const again = code.label();
  code.emit("wfi");
  code.jump(again);
}

/** Runs until all programs have ended; gives their results. */
function run(target: Target, image: ReturnType<typeof readElf>, which: number[]): number[][] {
  const soc = buildSoc(target);
  soc.load(image);
  soc.writeUint32(shared.running, which.length);
  soc.run({ maxCycles: 20_000_000, limitIsFault: true });
  return which.map((hart) =>
    Array.from({ length: size.sequences }, (_, i) => soc.readUint32(resultsOf(hart) + 4 * i))
  );
}

/** The plain machine: one hart as QEMU's, with memory where the cluster has its TCDM. */
async function plainMachine(): Promise<Target> {
  const virt = await loadTarget("virt");
  return targetSchema.parse({
    ...virt,
    memories: [...virt.memories, { name: "tcdm", role: "l2", base: 0x1000_0000, size: 0x2_0000 }],
    peripherals: virt.peripherals.filter(({ kind }) => kind === "finisher"),
  });
}

// As in random_test.ts: always the same, unless ATTOFLOW_SEED says otherwise.
const firstSeed = Number(Deno.env.get("ATTOFLOW_SEED") ?? 1);

// In L1 harts may lose reservations to one another: a bank holds one (snitch-cluster.md, section 1.9).
for (const [name, data, reservations] of [["L1", 0x1000_0000, false], ["L2", 0x81e0_0000, true]] as const) {
  Deno.test(`nine random programs at once on the cluster compute what each does alone: data in ${name}`, async () => {
    const programs = Array.from(
      { length: harts },
      (_, hart) => sequencesOf(firstSeed + 1000 * hart, reservations),
    );
    const image = build(programs, data);
    const together = run(await loadTarget("snitch-ita"), image(), programs.map((_, hart) => hart));
    const plain = await plainMachine();
    for (let hart = 0; hart < harts; hart++) {
      const [alone] = run(plain, image(hart), [hart]);
      assert(alone.every((hash) => hash !== 0));
      for (const [i, hash] of alone.entries()) {
        assert.equal(together[hart][i], hash, `hart ${hart}, sequence ${i} (seed ${programs[hart][i].seed})`);
      }
    }
  });
}
