// The GDB server, packet by packet, with a machine of nine harts behind it. No GDB is needed.

import assert from "node:assert/strict";
import { buildSoc } from "../runtime/host/build_soc.ts";
import { targetDescription } from "../runtime/host/gdb/description.ts";
import { hexOfBytes, hexOfWord, wordOfHex } from "../runtime/host/gdb/packets.ts";
import { type Client, withServer } from "./gdb_client.ts";
import {
  barrier,
  cluster,
  clusterRegisters,
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
  tcdm,
} from "./soc_program.ts";
import { Random } from "./isa/random.ts";
import { copied, tracedProgram } from "./trace_program.ts";

const { zero, t0, a0, a1, a2, a3 } = registers;
const data = tcdm + 0x100;
const pc = 32;
const uart = 0x0300_2000;

/** A jump to itself. */
const forever = op("jal", { rd: zero, imm: 0 });

const hex = (value: number) => (value >>> 0).toString(16);

/** Hart h counts in a0, by one a round, and stores that at `data + 4 * h`; a2 is what it reads back. */
const counting = [
  ...csrr(t0, "mhartid"),
  ...op("slli", { rd: t0, rs1: t0, imm: 2 }),
  ...li(a1, data),
  ...op("add", { rd: a1, rs1: a1, rs2: t0 }),
  // round:
  ...op("addi", { rd: a0, rs1: a0, imm: 1 }),
  ...op("sw", { rs1: a1, rs2: a0 }),
  ...op("lw", { rd: a2, rs1: a1 }),
  ...op("jal", { rd: zero, imm: -12 }),
];
const round = codeBase + 4 * (counting.length - 4);

/** Asserts that a stop is of a kind, and gives its hart. */
function stopped(answer: string, pattern: RegExp): number {
  assert.match(answer, pattern);
  return parseInt(/thread:([0-9a-f]+);/.exec(answer)![1], 16) - 1;
}

/** Runs to an address and forgets the breakpoint. */
async function runTo(client: Client, address: number): Promise<number> {
  assert.equal(await client.ask(`Z0,${hex(address)},4`), "OK");
  const hart = stopped(await client.ask("vCont;c"), /^T05/);
  assert.equal(await client.register(hart, pc), address);
  assert.equal(await client.ask(`z0,${hex(address)},4`), "OK");
  return hart;
}

Deno.test("a client finds nine harts, their registers and memories", () =>
  withServer(image(counting), async (client) => {
    const features = await client.ask("qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+");
    for (
      const feature of ["PacketSize=4000", "vContSupported+", "QStartNoAckMode+", "qXfer:features:read+"]
    ) {
      assert.ok(features.split(";").includes(feature), features);
    }
    assert.equal(client.heard[0], "acknowledged");
    assert.equal(await client.ask("QStartNoAckMode"), "OK");
    client.heard.length = 0;
    assert.match(await client.ask("?"), /^T05thread:1;core:0;02:[0-9a-f]{8};20:00000080;$/);
    assert.ok(!client.heard.includes("acknowledged"));
    assert.equal(await client.ask("qfThreadInfo"), "m1,2,3,4,5,6,7,8,9");
    assert.equal(await client.ask("qsThreadInfo"), "l");
    assert.equal(await client.ask("qC"), "QC1");
    assert.equal(await client.ask("qAttached"), "1");
    assert.equal(await client.ask("T9"), "OK");
    assert.match(await client.ask("Ta"), /^E/);
    const threads = await client.ask("qXfer:threads:read::0,4000");
    assert.match(threads, /^l<\?xml/);
    assert.match(threads, /<thread id="4" core="3" name="hart 3 worker">at main<\/thread>/);
    assert.match(threads, /<thread id="9" core="8" name="hart 8 dma">/);
    const extra = await client.ask("qThreadExtraInfo,9");
    assert.equal(
      new TextDecoder().decode(Uint8Array.from(extra.match(/../g)!, (d) => parseInt(d, 16))),
      "hart 8 dma: at main",
    );

    // In pieces, as a client with little room asks.
    let xml = "";
    for (let piece = "m"; piece[0] === "m";) {
      piece = await client.ask(`qXfer:features:read:target.xml:${hex(xml.length)},100`);
      xml += piece.slice(1);
    }
    assert.equal(
      xml,
      targetDescription(["mstatus", "misa", "mie", "mtvec", "mscratch", "mepc", "mcause", "mip"].concat(
        ["mcycle", "mcycleh", "minstret", "minstreth", "mhartid"],
      )),
    );
    assert.match(xml, /<architecture>riscv:rv32<\/architecture>/);
    assert.match(xml, /name="pc" bitsize="32" type="code_ptr" regnum="32"/);
    assert.match(
      await client.ask("qXfer:memory-map:read::0,4000"),
      /type="rom" start="0x10020000" length="0x1000"/,
    );
    assert.equal(await client.ask("qXfer:features:read:other.xml:0,100"), "E00");
    for (const unknown of ["vMustReplyEmpty", "qTStatus", "!", "b", "qSymbol::", "Z5,0,4", "jThreads"]) {
      assert.equal(await client.ask(unknown), "", unknown);
    }
  }));

Deno.test("registers can be read and written, one by one and all", () =>
  withServer(image(counting), async (client) => {
    const hart = await runTo(client, round);
    assert.equal(await client.register(hart, a1), data + 4 * hart);
    const all = await client.ask("g");
    assert.equal(all.length, 8 * (33 + 13));
    assert.equal(wordOfHex(all.slice(8 * pc, 8 * pc + 8))! >>> 0, round);
    assert.equal(await client.register(6, 33 + 12), 6, "mhartid");
    assert.ok(await client.register(6, 33 + 8) > 0, "mcycle");
    assert.equal(await client.ask("Hg3"), "OK");
    assert.equal(await client.ask(`Pa=${hexOfWord(0x1234_5678)}`), "OK");
    assert.equal(await client.register(2, a0), 0x1234_5678);
    assert.equal(await client.register(3, a0), await client.register(4, a0), "other harts keep theirs");
    assert.equal(await client.ask("Hg3"), "OK");
    assert.equal(await client.ask(`P0=${hexOfWord(5)}`), "OK");
    assert.equal(await client.register(2, 0), 0, "x0 stays 0");
    assert.equal(await client.ask(`P20=${hexOfWord(round + 2)}`), "E03", "no instruction begins there");
    assert.equal(await client.ask(`P25=${hexOfWord(0x55)}`), "OK", "mscratch");
    assert.equal(await client.register(2, 33 + 4), 0x55);
    const written = Array.from({ length: 33 }, (_, i) => hexOfWord(i === pc ? round + 4 : 100 + i)).join("");
    assert.equal(await client.ask(`G${written}`), "OK");
    assert.equal(await client.register(2, 31), 131);
    assert.equal(await client.register(2, pc), round + 4);
    for (const bad of ["p", "pzz", "P", "Pa", "Pa=12", "P=", "G", "G00", "pa0000000000"]) {
      assert.equal(await client.ask(bad), "E02", bad);
    }
    for (const bad of ["p2e", "pffffffff", `P2e=${hexOfWord(0)}`]) {
      assert.equal(await client.ask(bad), "E03", bad);
    }
  }));

Deno.test("memory and registers of devices can be read and written; where nothing is, is an error", () =>
  withServer(image(counting), async (client) => {
    assert.equal(await client.word(codeBase + 4), counting[1] >>> 0);
    assert.equal(await client.ask(`M${hex(data)},3:0102ff`), "OK");
    assert.equal(await client.ask(`m${hex(data)},4`), "0102ff00");
    assert.equal(
      await client.ask(`m${hex(data + 0x800_0000)},3`),
      "0102ff",
      "the alias shows the same bytes",
    );
    assert.equal(await client.ask(`X${hex(data)},5:#$}*\x00`), "OK");
    assert.equal(await client.ask(`m${hex(data)},5`), hexOfBytes([0x23, 0x24, 0x7d, 0x2a, 0]));
    assert.equal(await client.ask(`X${hex(data)},0:`), "OK", "this is how GDB asks whether X is known");

    const scratch = clusterRegisters + 0x180;
    assert.equal(await client.ask(`M${hex(scratch)},4:78563412`), "OK");
    assert.equal(await client.word(scratch), 0x1234_5678);
    assert.equal(await client.ask(`M${hex(scratch + 1)},2:aabb`), "OK");
    assert.equal(await client.word(scratch), 0x12bb_aa78);
    assert.equal(await client.ask(`m${hex(scratch + 2)},4`), "bb120000", "a span over two registers");

    for (const address of [0x4000_0000, 0, 0xffff_fffc, 0x2000_0000]) {
      assert.equal(await client.ask(`m${hex(address)},4`), "E01");
      assert.equal(await client.ask(`M${hex(address)},1:00`), "E01");
      assert.equal(await client.ask(`Z0,${hex(address)},4`), "E01");
      assert.equal(await client.ask(`Z2,${hex(address)},4`), "E01");
    }
    const end = 0x8200_0000;
    assert.equal((await client.ask(`m${hex(end - 2)},8`)).length, 4, "as much as there is");
    assert.equal((await client.ask(`m${hex(codeBase)},ffffffff`)).length, 2 * (0x4000 - 16) / 2, "as fits");
    for (
      const bad of ["m", "m80000000", "m80000000,", "mx,4", "M80000000,1", "M80000000,2:00", "M80000000,1:0g"]
    ) {
      assert.equal(await client.ask(bad), "E02", bad);
    }
    for (const bad of ["X80000000,4:abc", "Z0", "Z0,80000000", "Z1,x,4", "Hx1", "Hgx", "vCont;", "vCont;x"]) {
      assert.match(await client.ask(bad), /^(E02|)$/, bad);
    }
  }));

Deno.test("breakpoints stop every hart that comes, once", () =>
  withServer(image(counting), async (client) => {
    await client.ask("qSupported:swbreak+");
    const store = round + 4;
    assert.equal(await client.ask(`Z0,${hex(store)},4`), "OK");
    const seen = new Map<number, number>();
    for (let i = 0; i < 27; i++) {
      const hart = stopped(await client.ask("vCont;c"), /^T05swbreak:;thread/);
      assert.equal(await client.register(hart, pc), store);
      assert.equal(await client.register(hart, a0), (seen.get(hart) ?? 0) + 1, `round of hart ${hart}`);
      seen.set(hart, (seen.get(hart) ?? 0) + 1);
    }
    assert.equal(seen.size, 9, "all harts have come");
    assert.equal(await client.ask(`Z1,${hex(store)},4`), "OK");
    assert.equal(await client.ask(`z0,${hex(store)},4`), "OK");
    await client.ask("qSupported:hwbreak+;swbreak+");
    stopped(await client.ask("vCont;c"), /^T05hwbreak:;thread/);
    assert.equal(await client.ask(`z1,${hex(store)},4`), "OK");
    assert.equal(await client.ask(`z1,${hex(store)},4`), "OK", "removing twice is no error");
    client.send("vCont;c");
    client.raw("\x03");
    stopped(await client.answer(), /^T02/);
  }));

Deno.test("a step is one instruction of one hart, the others held or not", () =>
  withServer(image(counting), async (client) => {
    const hart = await runTo(client, round);
    const others = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((each) => each !== hart);
    const pcs = async () => {
      const all: number[] = [];
      for (const each of others) all.push(await client.register(each, pc));
      return all;
    };
    const before = await pcs();
    const thread = hex(hart + 1);
    for (const place of [round + 4, round + 8, round + 12, round, round + 4]) {
      assert.equal(stopped(await client.ask(`vCont;s:${thread}`), /^T05thread/), hart);
      assert.equal(await client.register(hart, pc), place);
    }
    assert.equal(await client.register(hart, a2), 1, "what was loaded is there after the load");
    assert.equal(await client.word(data + 4 * hart), 1, "what was stored, too");
    assert.deepEqual(await pcs(), before, "nobody else has moved");

    assert.equal(await client.ask(`Hc${thread}`), "OK");
    assert.equal(stopped(await client.ask("s"), /^T05thread/), hart);
    assert.equal(await client.register(hart, pc), round + 8);
    assert.deepEqual(await pcs(), before, "Hc names the only one that moves");

    assert.equal(stopped(await client.ask(`vCont;s:${thread};c`), /^T05thread/), hart);
    assert.equal(await client.register(hart, pc), round + 12);
    assert.notDeepEqual(await pcs(), before, "the others have run");

    const range = `r${hex(round)},${hex(round + 16)}`;
    client.send(`vCont;${range}:${thread}`);
    client.raw("\x03");
    stopped(await client.answer(), /^T02/);
    assert.ok(await client.register(hart, a0) > 2, "the loop lies in the range");
    await client.ask("?");
    assert.equal(
      stopped(await client.ask(`vCont;r${hex(round)},${hex(round + 4)}:${thread};s:${thread}`), /^T05/),
      hart,
    );
    assert.ok(await client.register(hart, pc) !== round);
    assert.equal(await client.ask("vCont;t"), "E02");
    assert.equal(await client.ask("vCont;c:7f"), "E02");
  }));

Deno.test("watchpoints stop behind the access, whoever makes it", async () => {
  await withServer(image(counting), async (client) => {
    const watched = data + 4 * 5;
    for (const [kind, name, place] of [[2, "watch", 8], [3, "rwatch", 12], [4, "awatch", 8]] as const) {
      assert.equal(await client.ask(`Z${kind},${hex(watched)},4`), "OK");
      const old = await client.word(watched);
      const hart = stopped(await client.ask("vCont;c"), new RegExp(`^T05${name}:${hex(watched)};thread:6;`));
      assert.equal(await client.register(hart, pc), round + place, name);
      if (kind !== 3) assert.equal(await client.word(watched), old + 1, "the store is done");
      else assert.equal(await client.register(hart, a2), old, "the load is done");
      assert.equal(await client.ask(`z${kind},${hex(watched)},4`), "OK");
    }
    const instruction = codeBase + 0x40;
    assert.equal(await client.ask(`Z2,${hex(instruction)},4`), "OK", "in the upper half of the addresses");
    assert.equal(await client.ask(`z2,${hex(instruction)},4`), "OK");
    // Under the alias, with a part of the word, and a span that begins before it.
    assert.equal(await client.ask(`Z2,${hex(watched + 0x800_0000 + 1)},1`), "OK");
    stopped(await client.ask("vCont;c"), new RegExp(`^T05watch:${hex(watched + 0x800_0000 + 1)};thread:6;`));
    assert.equal(await client.ask(`z2,${hex(watched + 0x800_0000 + 1)},1`), "OK");
    assert.equal(await client.ask(`Z2,${hex(data - 8)},9`), "OK");
    stopped(await client.ask("vCont;c"), new RegExp(`^T05watch:${hex(data)};thread:1;`));
    assert.equal(await client.ask(`Z2,${hex(data)},100000`), "E01", "more than can be watched");
    assert.equal(await client.ask(`Z2,${hex(data)},0`), "E01");
  });
  await withServer(tracedProgram(), async (client) => {
    const end = copied.destination + copied.bytes - 4;
    await client.ask(`M${hex(copied.source + copied.bytes - 4)},4:44332211`);
    assert.equal(await client.ask(`Z2,${hex(end)},4`), "OK");
    stopped(await client.ask("vCont;c"), new RegExp(`^T05watch:${hex(end)};thread:9;`));
    assert.match(client.console, /DMA.* writes 0x100017fc/);
    assert.equal(await client.word(end), 0x1122_3344);
  });
});

Deno.test("faults stop with the right signal at the right hart and instruction", async () => {
  const faults: [string, number[], number, RegExp][] = [
    ["0b", [...li(a0, 0x4000_0000), ...op("lw", { rd: a0, rs1: a0 })], 2, /loads from 0x40000000/],
    ["0b", [...li(a0, 0x7000_0000), ...op("sb", { rs1: a0, rs2: a0 })], 2, /stores to 0x70000000/],
    ["0b", [...li(a0, 0x4000_0000), ...op("jalr", { rd: zero, rs1: a0 })], -1, /no memory/],
    ["04", [0], 0, /illegal/],
    ["05", op("ebreak"), 0, /ebreak/],
    ["0a", [...li(a0, tcdm + 2), ...op("lw", { rd: a0, rs1: a0 })], 2, /misaligned/],
    ["0c", op("ecall"), 0, /ecall/],
  ];
  for (const [signal, words, at, cause] of faults) {
    const place = 4 * 3;
    const program = [
      ...onlyHart(6, [...words, ...op("jal", { rd: zero, imm: 0 })]),
      ...op("jal", { rd: zero, imm: 0 }),
    ];
    await withServer(image(program), async (client) => {
      assert.equal(stopped(await client.ask("vCont;c"), new RegExp(`^T${signal}thread`)), 6);
      assert.equal(await client.register(6, pc), at < 0 ? 0x4000_0000 : codeBase + place + 4 * at);
      assert.match(client.console, cause);
      assert.match(client.console, /hart 6/);
      // It can be looked at, and the machine goes on when the cause is gone.
      assert.equal(stopped(await client.ask("vCont;c"), new RegExp(`^T${signal}thread`)), 6);
      assert.equal(await client.ask("Hg7"), "OK");
      assert.equal(await client.ask(`P20=${hexOfWord(codeBase + place + 4 * words.length)}`), "OK");
      client.send("vCont;c");
      client.raw("\x03");
      stopped(await client.answer(), /^T02/);
    });
  }
});

Deno.test("a trap is shown before its handler gets it, and goes there if the signal is passed on", async () => {
  const handler = codeBase + 4 * 40;
  const start = [...li(t0, handler), ...csrw("mtvec", t0), ...onlyHart(3, [0])];
  const wait = op("jal", { rd: zero, imm: 0 });
  const filling = Array.from({ length: 40 - start.length }, () => wait[0]);
  const program = image([...start, ...filling, ...csrr(a3, "mcause"), ...wait]);
  const place = codeBase + 4 * (start.length - 1);
  await withServer(program, async (client) => {
    assert.equal(stopped(await client.ask("vCont;c"), /^T04/), 3);
    assert.equal(await client.register(3, pc), place);
    assert.match(client.console, /hart 3 traps: an illegal instruction/);
    assert.equal(await client.ask(`Z0,${hex(handler + 4)},4`), "OK");
    assert.equal(stopped(await client.ask("vCont;C04:4;c"), /^T05/), 3);
    assert.equal(await client.register(3, a3), 2, "mcause");
  });
  await withServer(program, async (client) => {
    assert.match(await client.monitor("catch off"), /handler/);
    assert.equal(await client.ask(`Z0,${hex(handler + 4)},4`), "OK");
    assert.equal(stopped(await client.ask("c"), /^T05/), 3);
    assert.match(await client.monitor("catch on"), /stop/);
  });
});

Deno.test("without a client traps go to the program's handler", async () => {
  const handler = codeBase + 4 * 40;
  const start = [...li(t0, handler), ...csrw("mtvec", t0), ...onlyHart(3, [0]), ...forever];
  const filling = Array.from({ length: 40 - start.length }, () => 0);
  const end = [...op("addi", { rd: a0, imm: 9 }), ...exit];
  await withServer(image([...start, ...filling, ...end]), async (client, server) => {
    assert.equal(await client.ask("D"), "OK");
    assert.deepEqual(await server.end, { kind: "exit", code: 9 });
  });
});

Deno.test("a program that ends, and one that never will", async () => {
  await withServer(
    image([...onlyHart(0, [...op("addi", { rd: a0, imm: 7 }), ...exit]), ...forever]),
    async (client, server) => {
      assert.equal(await client.ask("vCont;c"), "W07");
      await client.gone();
      assert.deepEqual(await server.end, { kind: "exit", code: 7 });
    },
  );
  const asleep = [...csrw("mie", zero), ...hang];
  await withServer(image(asleep), async (client) => {
    stopped(await client.ask("vCont;c"), /^T06/);
    assert.match(client.console, /all harts wait/);
    stopped(await client.ask("vCont;c"), /^T06/);
    assert.equal(await client.register(4, pc), codeBase + 8);
  });
});

Deno.test("a hart at the barrier waits for those who are held, and says so", () =>
  withServer(image([...barrier, ...op("jal", { rd: zero, imm: 0 })]), async (client) => {
    const behind = codeBase + 4 * barrier.length;
    for (const place of [codeBase + 4, behind]) {
      assert.equal(stopped(await client.ask("vCont;s:3"), /^T05/), 2);
      assert.equal(await client.register(2, pc), place);
    }
    assert.equal(await client.ask(`P20=${hexOfWord(codeBase)}`), "E03", "the others count on it");
    assert.equal(stopped(await client.ask("vCont;s:3"), /^T05/), 2);
    assert.match(client.console, /hart 2 waits for others, who are held/);
    assert.equal(await client.register(2, pc), behind);
    assert.match(await client.monitor("harts"), /hart 2 worker: waits at the barrier/);
    assert.equal(stopped(await client.ask("vCont;s:3;c"), /^T05/), 2);
    assert.equal(await client.register(2, pc), behind, "it has jumped to itself");
    assert.equal(await client.register(7, pc), behind);
  }));

Deno.test("monitor commands", () =>
  withServer(tracedProgram(), async (client) => {
    const help = await client.monitor("help");
    for (const command of ["help", "cycles", "harts", "dma", "ita", "layer", "catch", "reset"]) {
      assert.match(help, new RegExp(`^monitor ${command} `, "m"));
    }
    assert.match(await client.monitor("nonsense"), /no monitor command "nonsense"[^]*monitor help/);
    assert.match(await client.monitor(""), /monitor help/);
    assert.match(await client.monitor("__proto__"), /no monitor command/);
    assert.equal(await client.monitor("cycles"), "cycle 0, 0.000 µs at 425 MHz\n");
    assert.match(await client.monitor("layer"), /no generated image/);
    assert.match(await client.monitor("ita"), /^0 jobs launched; 0 committed[^]*idle\n$/);
    assert.equal(await client.ask(`Z2,${hex(copied.destination)},4`), "OK");
    await client.ask("vCont;c");
    assert.match(
      await client.monitor("dma"),
      /^0 transfers done, 1 under way[^]*1 × 2048 bytes from 0x80002000 to/,
    );
    assert.match(await client.monitor("harts"), /^hart 0 worker: .* instructions in \d+ cycles/);
    assert.match(await client.monitor("reset"), /reset/);
    assert.equal(await client.register(8, pc), codeBase);
    assert.equal(await client.monitor("cycles"), "cycle 0, 0.000 µs at 425 MHz\n");
    stopped(await client.ask("vCont;c"), /^T05watch:/);
    assert.equal(await client.ask("qRcmd,zz"), "E02");
  }));

Deno.test("clients come and go as they like", async (test) => {
  await withServer(image(counting), async (first, server) => {
    await first.ask("?");
    await test.step("only one at a time", async () => {
      const second = server.connect();
      await second.gone();
      assert.equal(await first.ask("qC"), "QC1");
    });
    await test.step("one that goes while the machine runs leaves it stopped where it is", async () => {
      first.send("vCont;c");
      await new Promise((resolve) => setTimeout(resolve, 50));
      first.line.end();
      const next = server.connect();
      stopped(await next.ask("?"), /^T02/);
      const cycles = await next.monitor("cycles");
      assert.notEqual(cycles, "cycle 0, 0.000 µs at 425 MHz\n");
      assert.equal(await next.monitor("cycles"), cycles, "time stands still");
      next.raw("$m8000");
      next.line.end();
    });
    await test.step("one that detaches lets it run on, without breakpoints", async () => {
      const next = server.connect();
      await next.ask("?");
      await next.ask(`Z0,${hex(round)},4`);
      assert.equal(await next.ask("D"), "OK");
      await next.gone();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const last = server.connect();
      stopped(await last.ask("?"), /^T02/);
      assert.equal(await last.ask("vKill;1"), "OK");
      assert.deepEqual(await server.end, { kind: "killed" });
    });
  });
  await withServer(image([...onlyHart(0, exit), ...forever]), async (client, server) => {
    assert.equal(await client.ask("D"), "OK");
    assert.deepEqual(await server.end, { kind: "exit", code: 0 });
  });
  await withServer(image(counting), async (client, server) => {
    client.send("k");
    assert.deepEqual(await server.end, { kind: "killed" });
  });
});

Deno.test("a run that nothing stops takes the same cycles as without a debugger", async () => {
  const plain = buildSoc(cluster);
  plain.load(tracedProgram());
  plain.run({ maxCycles: 100_000, limitIsFault: true });
  await withServer(tracedProgram(), async (client, server) => {
    // Neither what is watched and not touched nor a breakpoint that nobody comes to changes anything.
    assert.equal(await client.ask(`Z0,${hex(codeBase + 0x1000)},4`), "OK");
    assert.equal(await client.ask(`Z4,${hex(tcdm + 0x8000)},8`), "OK");
    assert.equal(await client.ask("vCont;c"), "W00");
    assert.equal(server.machine.soc.cycle, plain.cycle);
    assert.deepEqual(server.machine.soc.statistics(), plain.statistics());
  });
});

Deno.test("Ctrl-C counts for the packet in front of it, however close", () =>
  withServer(image(counting), async (client) => {
    client.raw("$vCont;c#a8\x03");
    stopped(await client.answer(), /^T02/);
    client.raw("\x03");
    assert.equal(await client.ask("qC"), "QC1", "Ctrl-C while it stands still is nothing");
  }));

Deno.test("a damaged packet is asked for again, an answer repeated on request", () =>
  withServer(image(counting), async (client) => {
    client.raw("$qC#00");
    assert.equal(await client.ask("qC"), "QC1");
    assert.deepEqual(client.heard, ["repeat", "acknowledged", "QC1"]);
    client.raw("-");
    assert.equal(await client.receive(), "QC1");
  }));

Deno.test("what the program prints reaches the client while the machine runs", () => {
  const print = [...new TextEncoder().encode("hé\n")].flatMap((byte) => [
    ...op("addi", { rd: a0, imm: byte }),
    ...put(uart, a0),
  ]);
  return withServer(
    image([...onlyHart(0, [...print, ...op("addi", { rd: a0, imm: 0 }), ...exit]), ...forever]),
    async (client) => {
      assert.equal(await client.ask("vCont;c"), "W00");
      assert.equal(client.console, "hé\n");
    },
  );
});

const beginnings =
  "g G p P m M X Z0 Z2 Z4 z1 H T vCont qXfer: qRcmd, qThreadExtraInfo, s S ? _ Q b v qSupported:";
const pieces =
  ", : ; = -1 0 1 9 a 80000000 10000100 ffffffff 4 c s r features:read:target.xml: \x00 $ } \xff";

Deno.test("no packet, and no bytes, make the server fail", () =>
  withServer(image(counting), async (client, server) => {
    const random = new Random(3);
    for (let i = 0; i < 3000; i++) {
      const words = Array.from({ length: random.below(6) }, () => random.pick(pieces.split(" "))).join("");
      const packet = random.pick(beginnings.split(" ")) + words;
      client.send(packet);
      const answer = client.answer();
      // Whatever sets the machine going is stopped again.
      if (/^[sSv]/.test(packet)) setTimeout(() => client.raw("\x03"));
      assert.equal(typeof await answer, "string", packet);
    }
    for (let i = 0; i < 300; i++) {
      const bytes = Array.from({ length: random.below(40) }, () => String.fromCharCode(random.below(256)));
      client.raw(bytes.join(""));
    }
    client.line.end();
    const next = server.connect();
    assert.match(await next.ask("?"), /^T/);
    assert.match(await next.ask("g"), /^[0-9a-fx]{368}$/);
  }));
