// What a target description may say. One such file builds the emulator, link.ld and soc.h.
// Every number is named for what it is; sizes are bytes, times are cycles of the cluster clock.

import { z } from "zod";

/** A 32-bit address or size: a JSON number, or a string such as "0x1000_0000". */
const word = z.union([
  z.number(),
  z.string().regex(/^0x[0-9a-fA-F_]+$/, 'write it as a number or as "0x…"').transform((text) =>
    Number(text.replaceAll("_", ""))
  ),
]).pipe(z.number().int().min(0).max(0xffff_ffff));

const size = word.refine((bytes) => bytes > 0, "must be greater than 0");
const count = z.number().int().min(0);
const powerOfTwo = z.number().int().refine(
  (value) => Number.isInteger(Math.log2(value)),
  "must be a power of two",
);
const identifier = z.string().regex(/^[a-z][a-z0-9_-]*$/, "lower-case letters, digits, _ and -");

/** What a memory is for. The planner puts tensors in `l1` and `l2`; `zero` reads as zeros; `rom` boots. */
const memoryRole = z.enum(["l1", "l2", "zero", "rom"]);

const memory = z.strictObject({
  name: identifier,
  role: memoryRole,
  base: word,
  size,
  /** Second base at which the same bytes appear, if the bus has such an alias. */
  alias: word.optional(),
  /** Interleaving of a banked memory: consecutive words of `width` bytes lie in consecutive banks. */
  banks: z.strictObject({ count: z.number().int().min(1), width: z.number().int().min(4) }).optional(),
  /** Cycles beyond the ideal memory behind the bus, for every access from outside the cluster. */
  latency: count.default(0),
});

const peripheral = z.strictObject({
  name: identifier,
  /** Which device stands there; the emulator has a class and soc.h a register list for each kind. */
  kind: z.enum(["cluster", "uart", "finisher", "clint", "accelerator"]),
  base: word,
  size,
  /** ns16550: bytes between registers. */
  stride: z.number().int().min(1).optional(),
});

/** Timing of a hart and of what harts share; defaults are the RTL's (snitch-cluster.md, sections 2 and 4). */
const core = z.strictObject({
  outstandingLoads: z.number().int().min(1).max(16).default(4),
  outstandingMemory: z.number().int().min(1).max(16).default(4),
  /** Misaligned loads and stores trap, or the memory splits them. */
  misaligned: z.enum(["trap", "hardware"]).default("trap"),
  /**
   * `snitch`: the cluster's registers, where unknown numbers read 0 and counters are read only (snitch-cluster.md,
   * section 1.5). `standard`: the privileged specification's, machine and user mode.
   */
  csrs: z.enum(["snitch", "standard"]).default("snitch"),
  /** One multiplier and divider for all harts, or one each. */
  multiplier: z.enum(["shared", "private"]).default("shared"),
  instructionCache: z.strictObject({
    l0Lines: z.number().int().min(1).default(8),
    lineBytes: powerOfTwo.min(16).default(64),
    l1Bytes: z.number().int().min(64).default(8192),
    l1Ways: z.number().int().min(1).default(2),
  }).refine(({ l1Bytes, lineBytes, l1Ways }) => l1Bytes % (lineBytes * l1Ways) === 0, {
    path: ["l1Bytes"],
    message: "must be a multiple of a line in each way",
  }).optional(),
});

const ita = z.strictObject({
  /** Output lanes (N) and elements of a dot product (M). */
  lanes: z.number().int().min(1).default(16),
  elements: z.number().int().min(1).default(64),
  contexts: z.number().int().min(1).default(4),
  /** Softmax: exponent granularity and full scale (onnx-integer-dialect.md, section 5). */
  softmaxShift: z.union([z.literal(0), z.literal(5)]).default(0),
  softmaxFullScale: z.union([z.literal(255), z.literal(127)]).default(255),
});

/** What one event costs; `source` says where the number comes from. */
const perEvent = z.strictObject({ picojoules: z.number().min(0).max(1e6), source: z.string().min(1) });

/** Energy by event, at the target's clock and voltage, for estimates (energy.ts). */
const energy = z.strictObject({
  /** A cycle in which the accelerator works, by the kind of job that its device counts. */
  accelerator: z.record(z.string(), perEvent).default({}),
  /** A cycle of a hart that is awake, and of one in wfi or at the barrier. */
  activeCore: perEvent,
  waitingCore: perEvent,
  /** A byte of a bank's word in L1, or in L2, that is read or written; a byte that the DMA moves. */
  l1Byte: perEvent,
  l2Byte: perEvent,
  dmaByte: perEvent,
  /** Leakage and whatever is always clocked. */
  static: z.strictObject({ milliwatts: z.number().min(0).max(1e6), source: z.string().min(1) }),
});

/** A target: what the SoC is. */
export const targetSchema = z.strictObject({
  name: identifier,
  description: z.string().min(1),
  clock: z.strictObject({ hertz: z.number().positive(), volt: z.number().positive(), process: z.string() }),
  harts: z.strictObject({
    /** Worker harts; their ids are 0 … workers-1. */
    workers: z.number().int().min(1).max(32),
    /** Whether one more hart, the last, has Xdma and moves data. */
    dma: z.boolean(),
    /** What GCC and LLVM call the instruction set and the calling convention. */
    isa: z.string().regex(/^rv32[a-z0-9_]+$/),
    abi: z.enum(["ilp32", "ilp32e"]),
    /** Barrier of all harts in hardware (CSR 0x7C2), or none. */
    barrier: z.enum(["csr", "none"]),
    /** Bytes of stack for each hart, and the role of the memory that holds them. */
    stack: z.strictObject({ size, memory: z.enum(["l1", "l2"]) }),
    core: core.prefault({}),
  }),
  /** Who starts the harts: the cluster's boot ROM by an interrupt, or reset right at the image's entry. */
  boot: z.enum(["cluster-rom", "entry"]),
  memories: z.array(memory).min(1),
  peripherals: z.array(peripheral),
  dma: z.strictObject({
    bytesPerCycle: z.number().int().min(1).default(64),
    queue: z.number().int().min(1).default(8),
  }).optional(),
  /** Engines in the order in which the compiler asks them to take a node; each is a folder in `targets/engines`. */
  engines: z.array(z.enum(["ita", "cores", "dma"])).min(1),
  ita: ita.optional(),
  /** Without it nothing is said about energy. */
  energy: energy.optional(),
}).superRefine((target, context) => {
  const problem = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path, message });
  const spans = [
    ...target.memories.flatMap((m, i) => [
      { path: ["memories", i, "base"], name: m.name, base: m.base, size: m.size },
      ...(m.alias === undefined
        ? []
        : [{ path: ["memories", i, "alias"], name: m.name, base: m.alias, size: m.size }]),
    ]),
    ...target.peripherals.map((p, i) => ({
      path: ["peripherals", i, "base"],
      name: p.name,
      base: p.base,
      size: p.size,
    })),
  ].sort((a, b) => a.base - b.base);
  for (const [i, span] of spans.entries()) {
    if (span.base + span.size > 2 ** 32) {
      problem(span.path, `${span.name} ends beyond the 32-bit address space`);
    }
    const next = spans[i + 1];
    if (next && span.base + span.size > next.base) problem(next.path, `${next.name} overlaps ${span.name}`);
  }
  if (!target.memories.some((m) => m.role === "l2")) {
    problem(["memories"], "one memory must have the role l2: the image is linked there");
  }
  if (target.memories.filter((m) => m.role === "l1").length > 1) {
    problem(["memories"], "at most one memory may have the role l1");
  }
  if (target.harts.dma !== target.engines.includes("dma")) {
    problem(["engines"], "engine dma and a DMA hart (harts.dma) go together");
  }
  if (target.harts.dma && !target.dma) problem(["dma"], "a DMA hart needs the field dma");
  if (target.engines.includes("ita") && !target.ita) problem(["ita"], "engine ita needs the field ita");
});

/** A checked target description. */
export type Target = z.output<typeof targetSchema>;
export type Memory = Target["memories"][number];
export type Peripheral = Target["peripherals"][number];
