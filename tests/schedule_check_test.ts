// The checker must find what is wrong with a broken program: a good one is damaged in every way that it looks for.

import assert from "node:assert/strict";
import { engineMappings } from "../targets/engines/registry.ts";
import { loadTarget } from "../targets/load.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import { checkProgram } from "../src/schedule/check.ts";
import { plan } from "../src/schedule/plan.ts";
import type { Buffer, Phase, Program } from "../src/schedule/program.ts";

const target = await loadTarget("snitch-ita");

function goodProgram(): Program {
  const builder = new ModelBuilder();
  const x = builder.add({ name: "x", shape: [64, 256], dtype: "int8", range: { min: -128, max: 127 } });
  const relu = builder.append({ operator: "Relu", inputs: [x], name: "relu" });
  const sum = builder.append({ operator: "Add", inputs: [relu, x], name: "sum" });
  const y = builder.append({ operator: "Add", inputs: [sum, relu], name: "y" });
  return plan(builder.finish("good", ["x"], [y.name]), target, engineMappings, { l1Bytes: 32768 });
}

function withBuffer(program: Program, find: (buffer: Buffer) => boolean, change: Partial<Buffer>): Program {
  const buffer = [...program.buffers.values()].find(find)!;
  return { ...program, buffers: new Map([...program.buffers, [buffer.name, { ...buffer, ...change }]]) };
}

function withPhase(program: Program, index: number, change: (phase: Phase) => Phase): Program {
  const layers = program.layers.map((layer, i) =>
    i === 1
      ? { ...layer, phases: layer.phases.map((phase, p) => p === index ? change(phase) : phase) }
      : layer
  );
  return { ...program, layers };
}

const good = goodProgram();
const middle = 2;

const damages: Record<string, { program: Program; problem: RegExp }> = {
  "a buffer that another one lies on": {
    program: withBuffer(good, ({ name }) => name.includes("relu"), { offset: 1024 }),
    problem: /share addresses/,
  },
  "a buffer outside its arena": {
    program: withBuffer(good, ({ kind }) => kind === "activation", { offset: good.arenas.l2 }),
    problem: /not inside/,
  },
  "a life that ends too early": {
    program: withBuffer(good, ({ name }) => name.includes("relu"), { lifetime: { first: 0, last: 0 } }),
    problem: /not alive/,
  },
  "a load that is left out": {
    program: withPhase(good, 0, (phase) => ({ ...phase, dma: phase.dma.slice(1) })),
    problem: /reads what nobody wrote/,
  },
  "a store that is left out": {
    program: withPhase(good, good.layers[1].phases.length - 1, (phase) => ({ ...phase, dma: [] })),
    problem: /reads what nobody wrote/,
  },
  "a transfer beyond the end": {
    program: withPhase(good, 0, (phase) => ({
      ...phase,
      dma: phase.dma.map((transfer) => ({ ...transfer, bytes: transfer.bytes * 100 })),
    })),
    problem: /leaves/,
  },
  "a negative stride": {
    program: withPhase(good, 0, (phase) => ({
      ...phase,
      dma: phase.dma.map((transfer) => ({ ...transfer, rows: 2, bytes: 1, sourceStride: -64 })),
    })),
    problem: /leaves/,
  },
  "work on what is still being loaded": {
    program: withPhase(good, middle, (phase) => ({
      ...phase,
      dma: [
        ...phase.dma,
        ...good.layers[1].phases[1].dma.slice(0, 1),
        ...good.layers[1].phases[0].dma.slice(0, 1),
      ],
    })),
    problem: /meet/,
  },
  "a memory that is too small": {
    program: { ...good, memories: good.memories.map((use) => ({ ...use, size: use.activations - 1 })) },
    problem: /too small/,
  },
};

Deno.test("the undamaged program is fine", () => assert.deepEqual(checkProgram(good), []));

for (const [name, { program, problem }] of Object.entries(damages)) {
  Deno.test(`found: ${name}`, () => {
    const problems = checkProgram(program);
    assert.ok(problems.some((text) => problem.test(text)), problems.join("\n") || "no problem found");
  });
}

Deno.test("found: an output that is not written", () => {
  const layers = good.layers.slice(0, -1);
  assert.ok(checkProgram({ ...good, layers }).some((text) => /not written wholly/.test(text)));
});
