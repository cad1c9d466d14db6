// Devices of the emulated SoCs: DMA, accelerator port, UART, finisher, CLINT, HTIF, test bench, and the hart that
// follows the privileged specification.

import assert from "node:assert/strict";
import type { Accelerator, AcceleratorContext } from "../runtime/soc/device.ts";
import { Dma } from "../targets/engines/dma/device.ts";
import {
  build,
  cluster,
  codeBase,
  csrr,
  csrw,
  exit,
  hang,
  image,
  li,
  onlyHart,
  op,
  put,
  registers,
  run,
  tcdm,
  virt,
} from "./soc_program.ts";
import { Soc } from "../runtime/soc/soc.ts";

const { zero, t0, t1, t2, a0, a1, a2, a3 } = registers;
const l2 = codeBase + 0x10_0000;

const dmaAddresses = (source: number, destination: number) => [
  ...li(a0, source),
  ...op("dmsrc", { rs1: a0 }),
  ...li(a0, destination),
  ...op("dmdst", { rs1: a0 }),
];
const waitForDma = [...op("dmstati", { rd: a0, imm: 2 }), ...op("bne", { rs1: a0, rs2: zero, imm: -4 })];
const onDmaHart = (
  words: number[],
) => [...onlyHart(8, [...words, ...op("addi", { rd: a0 }), ...exit]), ...hang];

/** 1, 2, 3 … as bytes. */
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => i + 1);

Deno.test("a 1-D transfer copies any bytes to any address", () => {
  for (const [from, to, bytes] of [[0, 0, 64], [3, 61, 200], [4090, 1, 4100], [1, 2, 1], [0, 5, 0]]) {
    const soc = build(onDmaHart([
      ...dmaAddresses(l2 + from, tcdm + to),
      ...li(a1, bytes),
      ...op("dmcpyi", { rd: a2, rs1: a1 }),
      ...waitForDma,
    ]));
    soc.writeBytes(l2 + from, pattern(bytes));
    assert.equal(soc.run({ maxCycles: 10_000 }).exitCode, 0);
    assert.deepEqual(soc.readBytes(tcdm + to, bytes), pattern(bytes));
    assert.deepEqual(soc.readBytes(tcdm + to + bytes, 8), new Uint8Array(8));
  }
});

Deno.test("a 2-D transfer strides, its parameters stay, zero memory is a source of zeros", () => {
  const soc = build(onDmaHart([
    ...dmaAddresses(l2, tcdm),
    ...li(a1, 96),
    ...li(a2, 10),
    ...op("dmstr", { rs1: a1, rs2: a2 }),
    ...op("addi", { rd: a1, imm: 5 }),
    ...op("dmrep", { rs1: a1 }),
    ...op("addi", { rd: a1, imm: 7 }),
    ...op("dmcpyi", { rd: a2, rs1: a1, imm: 2 }),
    ...waitForDma,
    // Again, one dimension, from zero memory over the middle.
    ...dmaAddresses(0x1003_0000, tcdm + 10),
    ...op("dmcpyi", { rd: a3, rs1: a1 }),
    ...waitForDma,
    ...op("sub", { rd: a0, rs1: a3, rs2: a2 }),
    ...put(tcdm + 0x100, a0),
    ...op("fence"),
  ]));
  soc.writeBytes(l2, pattern(512));
  soc.writeBytes(tcdm, new Uint8Array(64).fill(0xee));
  assert.equal(soc.run({ maxCycles: 10_000 }).exitCode, 0);
  const expected = new Uint8Array(64).fill(0xee);
  for (let row = 0; row < 5; row++) {
    expected.set(pattern(512).subarray(96 * row, 96 * row + 7), 10 * row);
  }
  expected.fill(0, 10, 17);
  assert.deepEqual(soc.readBytes(tcdm, 64), expected);
  assert.equal(soc.readUint32(tcdm + 0x100), 1, "ids count up");
});

Deno.test("DMA ids: the first is 2, completed follows, the queue fills", () => {
  const copied: number[] = [];
  const dma = new Dma({ bytesPerCycle: 64, queue: 8 }, {
    target: (address) => address < 0x1000 ? "tcdm" : "outside",
    take: () => {},
    copy: (destination) => copied.push(destination),
    fail: (message) => assert.fail(message),
  });
  assert.equal(dma.status(0, 0), 1);
  assert.equal(dma.start(0, 0, 0), 2);
  dma.setSource(0x1000, 0);
  dma.setDestination(0, 0);
  assert.equal(dma.start(128, 0, 1), 3);
  assert.equal(dma.status(1, 1), 4);
  let cycle = 1;
  while (dma.status(2, cycle) !== 0) {
    if (dma.active) dma.tick(cycle);
    cycle++;
  }
  // 11 + n cycles behind the start, n = 2 beats (section 5).
  assert.equal(cycle, 1 + 11 + 2);
  assert.deepEqual(copied, [0, 64]);
  assert.equal(dma.status(0, cycle + 5), 3);
  let started = 0;
  while (dma.start(4096, 0, cycle) !== undefined) started++;
  assert.ok(started >= 8 && started <= 16);
  assert.equal(dma.status(3, cycle), 1);
});

/** An accelerator that writes one block each cycle until it has written eight, then raises hart 0's interrupt. */
class Painter implements Accelerator {
  left = 0;
  refused = 0;
  constructor(readonly context: AcceleratorContext) {}
  get busy(): boolean {
    return this.left > 0;
  }
  readUint32(offset: number): number {
    if (offset === 8) this.context.fail("register 8 must not be read");
    return this.left;
  }
  writeUint32(_offset: number, value: number): void {
    this.left = value;
  }
  tick(cycle: number): void {
    const { port } = this.context;
    const offset = 0x2000 + 128 * (this.left - 1);
    if (!port.request(port.base + offset, 128, true, cycle)) {
      this.refused++;
      return;
    }
    port.bytes.fill(this.left, offset, offset + 128);
    if (--this.left === 0) this.context.raise(0);
  }
}

Deno.test("an accelerator is programmed, writes the TCDM, yields to the DMA and wakes its hart", () => {
  let painter: Painter | undefined;
  const accelerator = (_target: unknown, context: AcceleratorContext) => painter = new Painter(context);
  const window = 0x1004_0000, clear = 0x1002_11a8;
  const words = [
    ...onlyHart(8, [
      ...dmaAddresses(l2, tcdm),
      ...li(a1, 4096),
      ...op("dmcpyi", { rd: a2, rs1: a1 }),
      ...waitForDma,
    ]),
    ...onlyHart(0, [
      ...li(a0, 1),
      ...put(clear, a0),
      ...op("fence"),
      ...csrr(a0, "mip"),
      ...op("bne", { rs1: a0, rs2: zero, imm: -4 }),
      ...li(a1, 8),
      ...put(window, a1),
      ...op("wfi"),
      ...op("addi", { rd: a0 }),
      ...exit,
    ]),
    ...hang,
  ];
  const soc = build(words, cluster, { accelerator });
  assert.equal(soc.run({ maxCycles: 10_000 }).exitCode, 0);
  assert.equal(soc.readBytes(tcdm + 0x2000, 1)[0], 1);
  assert.equal(soc.readBytes(tcdm + 0x2000 + 7 * 128, 1)[0], 8);
  assert.ok(painter!.refused > 0, "the DMA goes first");

  const read = [...onlyHart(0, [...li(a0, window), ...op("lw", { rd: a0, rs1: a0, imm: 8 })]), ...hang];
  assert.throws(
    () => build(read, cluster, { accelerator }).run({ maxCycles: 100 }),
    /ita: register 8 must not be read/,
  );
});

Deno.test("UART and finisher: text goes to the console, status to the host", () => {
  for (const [target, uart] of [[cluster, 0x0300_2000], [virt, 0x1000_0000]] as const) {
    let text = "";
    const status = target === virt ? 5 : 20;
    const words = [
      ...li(t0, uart),
      ...op("lb", { rd: t1, rs1: t0, imm: status }),
      ...op("andi", { rd: t1, rs1: t1, imm: 0x20 }),
      ...op("beq", { rs1: t1, rs2: zero, imm: -8 }),
      ...[..."ok\n"].flatMap((c) => [
        ...op("addi", { rd: t2, imm: c.charCodeAt(0) }),
        ...op("sb", { rs1: t0, rs2: t2 }),
      ]),
      ...op("addi", { rd: a0, imm: 42 }),
      ...exit,
    ];
    const { exitCode } = run([...onlyHart(0, words), ...hang], target, {
      console: (bytes) => text += new TextDecoder().decode(bytes),
    });
    assert.equal(text, "ok\n");
    assert.equal(exitCode, 42);
  }
});

Deno.test("tohost ends the program; system call 64 prints", () => {
  const tohost = l2, call = l2 + 64, text = l2 + 256;
  const symbols = [
    { name: "tohost", address: tohost, size: 8, kind: "object" as const },
    { name: "fromhost", address: tohost + 8, size: 8, kind: "object" as const },
  ];
  let printed = "";
  const soc = new Soc(cluster, { console: (bytes) => printed += new TextDecoder().decode(bytes) });
  soc.load(image([
    ...onlyHart(0, [
      ...li(a0, call),
      ...put(tohost, a0),
      ...li(t0, tohost + 8),
      ...op("lw", { rd: a1, rs1: t0 }),
      ...op("beq", { rs1: a1, rs2: zero, imm: -4 }),
      ...op("addi", { rd: a0, imm: 7 }),
      ...put(tohost, a0),
    ]),
    ...hang,
  ], symbols));
  for (const [i, value] of [64, 1, text, 5].entries()) soc.writeUint32(call + 8 * i, value);
  soc.writeBytes(text, new TextEncoder().encode("hello"));
  assert.equal(soc.run({ maxCycles: 10_000 }).exitCode, 3);
  assert.equal(printed, "hello");
});

Deno.test("the timer interrupt wakes a waiting hart when its time comes, without running the cycles between", () => {
  const compare = 0x0200_4000, time = 0x0200_bff8;
  const { soc, cycle } = run([
    ...li(t0, compare),
    ...op("sw", { rs1: t0, rs2: zero, imm: 4 }),
    ...li(a1, 50_000),
    ...op("sw", { rs1: t0, rs2: a1 }),
    ...li(a1, 0x80),
    ...csrw("mie", a1),
    ...op("wfi"),
    ...li(t0, time),
    ...op("lw", { rd: a0, rs1: t0 }),
    ...put(l2, a0),
    ...op("fence"),
    ...op("addi", { rd: a0 }),
    ...exit,
  ], virt);
  assert.ok(cycle >= 50_000 && cycle < 50_200);
  const seen = soc.readUint32(l2);
  assert.ok(seen >= 50_000 && seen < 50_100);
});

Deno.test("the standard hart: misaligned accesses work, counters can be written, unknown CSRs trap", () => {
  const { soc } = run([
    ...li(a0, 0x1122_3344),
    ...li(t0, l2 + 0x101),
    ...op("sw", { rs1: t0, rs2: a0 }),
    ...op("lh", { rd: a1, rs1: t0, imm: 2 }),
    ...put(l2, a1),
    ...op("addi", { rd: a2, imm: 5 }),
    ...csrw("minstret", a2),
    ...csrr(a1, "minstret"),
    ...put(l2 + 4, a1),
    ...op("auipc", { rd: t0 }),
    ...op("addi", { rd: t0, rs1: t0, imm: 16 }),
    ...csrw("mtvec", t0),
    ...csrr(a0, "mseg"),
    ...csrr(a1, "mcause"),
    ...put(l2 + 8, a1),
    ...csrr(a1, "mtval"),
    ...put(l2 + 12, a1),
    ...op("fence"),
    ...op("addi", { rd: a0 }),
    ...exit,
  ], virt);
  assert.equal(soc.readUint32(l2), 0x1122);
  assert.deepEqual([...soc.readBytes(l2 + 0x100, 6)], [0, 0x44, 0x33, 0x22, 0x11, 0]);
  assert.equal(soc.readUint32(l2 + 4), 5);
  assert.equal(soc.readUint32(l2 + 8), 2);
  assert.equal(soc.readUint32(l2 + 12), csrr(a0, "mseg")[0], "mtval is the instruction");
});

Deno.test("user mode may not touch machine registers, and calls from it have cause 8", () => {
  const handler = 0x80;
  const words = [
    ...li(t0, codeBase + handler),
    ...csrw("mtvec", t0),
    ...csrw("mstatus", zero),
    // In user mode interrupts are always open, and the one that has woken the cluster is still raised.
    ...csrw("mie", zero),
    ...li(t0, codeBase + 11 * 4),
    ...csrw("mepc", t0),
    ...op("mret"),
    0,
    0,
    // In user mode: the first traps, the second too.
    ...csrr(a1, "mscratch"),
    ...op("ecall"),
  ];
  while (words.length < handler / 4) words.push(0);
  words.push(
    ...csrr(a1, "mcause"),
    ...csrr(t1, "mepc"),
    ...op("addi", { rd: t1, rs1: t1, imm: 4 }),
    ...csrw("mepc", t1),
    ...op("slli", { rd: a2, rs1: a2, imm: 8 }),
    ...op("or", { rd: a2, rs1: a2, rs2: a1 }),
    ...op("addi", { rd: t2, rs1: t2, imm: 1 }),
    ...op("addi", { rd: t0, imm: 2 }),
    ...op("beq", { rs1: t2, rs2: t0, imm: 8 }),
    ...op("mret"),
    ...op("addi", { rd: a0, rs1: a2 }),
    ...exit,
  );
  for (const target of [virt, cluster]) assert.equal(run(words, target).exitCode, 0x0208);
});

Deno.test("code that is overwritten is decoded anew, through an alias and by the DMA too", () => {
  const spot = tcdm + 0x800;
  const add = (imm: number) => op("addi", { rd: a0, rs1: a0, imm })[0];
  const back = op("jalr", { rs1: registers.ra })[0];
  const call = [...li(t0, spot), ...op("jalr", { rd: registers.ra, rs1: t0 })];
  const write = (address: number, word: number) => [
    ...li(a1, word),
    ...put(address, a1),
    ...op("fence"),
    ...op("fence.i"),
  ];
  const soc = build(onDmaHart([
    ...write(spot, add(1)),
    ...write(spot + 4, back),
    ...op("addi", { rd: a0 }),
    ...call,
    ...write(spot, add(2)),
    ...call,
    ...write(0x1800_0800, add(4)),
    ...call,
    ...op("addi", { rd: a3, rs1: a0 }),
    ...dmaAddresses(l2, spot),
    ...op("addi", { rd: a1, imm: 4 }),
    ...op("dmcpyi", { rd: a2, rs1: a1 }),
    ...waitForDma,
    ...op("addi", { rd: a0, rs1: a3 }),
    ...call,
    ...put(tcdm + 0x100, a0),
    ...op("fence"),
  ]));
  soc.writeUint32(l2, add(8));
  assert.equal(soc.run({ maxCycles: 10_000 }).exitCode, 0);
  assert.equal(soc.readUint32(tcdm + 0x100), 15);
});
