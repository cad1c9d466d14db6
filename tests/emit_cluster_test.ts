// Images on the emulated cluster: results, pauses behind layers, repeated inferences, and what a trap leaves behind.

import assert from "node:assert/strict";
import { buildSoc } from "../runtime/host/build_soc.ts";
import { openSession } from "../runtime/host/open.ts";
import { readElf } from "../runtime/image/elf.ts";
import { engineMappings } from "../targets/engines/registry.ts";
import { loadTarget } from "../targets/load.ts";
import { mailboxFields, mailboxStatus } from "../targets/mailbox.ts";
import { makeManifest } from "../src/emit/manifest.ts";
import { makeProject, writeProject } from "../src/emit/project.ts";
import { Symbols } from "../src/emit/symbols.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import type { Model } from "../src/model/types.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";
import { l1Budget } from "../src/schedule/budget.ts";
import { plan } from "../src/schedule/plan.ts";
import type { Program } from "../src/schedule/program.ts";
import { build } from "../src/toolchain/build.ts";
import { findCompiler } from "../src/toolchain/compiler.ts";
import { type LinkedImage, readLinkedImage } from "../src/toolchain/elf.ts";

const target = await loadTarget("snitch-ita");
const compiler = await findCompiler();

function small(): Model {
  const builder = new ModelBuilder();
  const x = builder.add({ name: "x", shape: [40, 64], dtype: "int8", range: { min: -128, max: 127 } });
  const w = builder.constant("w", [64, 24], new Int8Array(64 * 24).map((_, i) => (i * 29) % 255 - 127));
  const y = builder.append({ operator: "MatMul", inputs: [x, w], name: "product" });
  const z = builder.append({ operator: "Relu", inputs: [y], name: "relu" });
  const flat = builder.append({
    operator: "Reshape",
    attributes: { shape: [960] },
    inputs: [z],
    name: "flat",
  });
  const copy = builder.append({
    operator: "Reshape",
    attributes: { shape: [2560] },
    inputs: [x],
    name: "copy",
  });
  return builder.finish("small", ["x"], [flat.name, copy.name]);
}

interface Built {
  readonly program: Program;
  readonly symbols: Symbols;
  readonly linked: LinkedImage;
  readonly elf: Uint8Array;
}

/** Builds the model's image, with another main.c if one is given. */
async function buildImage(model: Model, main?: string): Promise<Built> {
  const program = plan(model, target, engineMappings);
  const symbols = new Symbols(program);
  const l1Bytes = l1Budget(target).size;
  const project = await makeProject(program, model, target, symbols, { l1Bytes, family: compiler.family });
  const folder = await Deno.makeTempDir();
  try {
    await writeProject(folder, project);
    if (main) await Deno.writeTextFile(`${folder}/main.c`, main);
    await build(folder, project.sources, target, compiler);
    const elf = await Deno.readFile(`${folder}/image.elf`);
    return { program, symbols, linked: readLinkedImage(elf), elf };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("inferences on the cluster, with and without pauses, give what the operators mean", async () => {
  const model = small();
  const { program, symbols, linked, elf } = await buildImage(model);
  const manifest = makeManifest({
    program,
    model,
    target,
    symbols,
    image: linked,
    compiler: compiler.version,
    import: { sha256: "", softmaxShift: 0, inputTypes: {} },
  });
  await using session = await openSession({ manifest, target, image: readElf(elf, "image.elf") });
  for (const [seed, layers] of [[3, false], [5, true], [7, false]] as const) {
    const x = new Int8Array(2560).map((_, i) => (i * seed * 37) % 256 - 128);
    const values = evaluateModel(model, [x]);
    const result = await session.infer([x], { layers });
    const plain = (data: ArrayLike<number>) => Array.from(data);
    assert.deepEqual(result.outputs.map(({ data }) => plain(data)), outputsFrom(model, values).map(plain));
    assert.equal(result.layerCycles.length, 4);
    assert.equal(result.layerCycles.every((cycles) => cycles < 200_000), true);
    for (const layer of result.layers ?? []) {
      for (const { name, data } of layer.outputs) assert.deepEqual(plain(data), plain(values.get(name)!));
    }
    assert.equal(result.layers?.length, layers ? 4 : undefined);
  }
});

for (const hart of [0, 3, 8]) {
  Deno.test(`a trap of hart ${hart} ends the program with hart, cause and place`, async () => {
    const source = await Deno.readTextFile(new URL("emit/trap_main.c", import.meta.url));
    const { linked, elf } = await buildImage(small(), `#define TRAPPING_HART ${hart}u\n${source}`);
    let console = "";
    const soc = buildSoc(target, { console: (bytes) => console += new TextDecoder().decode(bytes) });
    soc.load(readElf(elf, "image.elf"));
    const { reason, exitCode } = soc.run({ maxCycles: 1_000_000 });
    assert.equal(reason, "exit");
    assert.equal(exitCode, 1);
    const mailbox = linked.symbols.get("attoflow_mailbox")!;
    const field = (name: keyof typeof mailboxFields) => soc.readUint32(mailbox + mailboxFields[name]);
    assert.equal(field("status"), mailboxStatus.failed);
    assert.equal(field("error"), hart << 24 | 1 << 16 | 2);
    assert.equal(field("errorAddress"), linked.symbols.get("illegal"));
    assert.match(console, new RegExp(`trap: hart 0x0000000${hart}, mcause 0x00000002, mepc 0x8`));
  });
}
