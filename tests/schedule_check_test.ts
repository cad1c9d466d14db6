// The checker must find what is wrong with a broken program: a good one is damaged in every way that it looks for.

import assert from "node:assert/strict";
import { engineMappings } from "../targets/engines/registry.ts";
import { loadTarget } from "../targets/load.ts";
import { ModelBuilder } from "../src/model/builder.ts";
import { checkProgram } from "../src/schedule/check.ts";
import { plan } from "../src/schedule/plan.ts";
import type { Buffer, MoveStep, Program, Step, Transfer } from "../src/schedule/program.ts";

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

/** The program with a step changed: the first that `find` finds. */
function withStep(find: (step: Step) => boolean, change: (step: Step) => Step): Program {
  let left = 0;
  const layers = good.layers.map((layer) => ({
    ...layer,
    steps: layer.steps.map((step) => find(step) && left-- === 0 ? change(step) : step),
  }));
  assert.ok(left < 0, "the step to damage exists");
  return { ...good, layers };
}

const good = goodProgram();

function isLoad(step: Step): boolean {
  return step.engine === "dma" && step.layer === 1 &&
    step.transfers.some((transfer) => good.buffers.get(transfer.destination.buffer)!.memory === "l1");
}

function isStore(step: Step): boolean {
  return step.engine === "dma" && step.layer === 1 &&
    step.transfers.some((transfer) => good.buffers.get(transfer.source.buffer)!.memory === "l1");
}

function withTransfers(step: Step, change: (transfers: readonly Transfer[]) => readonly Transfer[]): Step {
  assert.equal(step.engine, "dma");
  return { ...step as MoveStep, transfers: change((step as MoveStep).transfers) };
}

const damages: Record<string, { program: Program; problem: RegExp }> = {
  "a buffer that another one lies on": {
    program: withBuffer(good, ({ name }) => name.includes("relu"), { offset: 1024 }),
    problem: /overwritten/,
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
    program: withStep(
      (step) => step.engine === "dma" && step.layer === 0,
      (step) => withTransfers(step, (transfers) => transfers.slice(1)),
    ),
    problem: /nobody wrote/,
  },
  "a store that is left out": {
    program: withStep(isStore, (step) => withTransfers(step, () => [])),
    problem: /nobody wrote/,
  },
  "a transfer beyond the end": {
    program: withStep(
      isLoad,
      (step) =>
        withTransfers(step, (all) => all.map((transfer) => ({ ...transfer, bytes: transfer.bytes * 100 }))),
    ),
    problem: /leaves/,
  },
  "a negative stride": {
    program: withStep(
      isLoad,
      (step) =>
        withTransfers(
          step,
          (all) => all.map((transfer) => ({ ...transfer, rows: 2, bytes: 1, sourceStride: -64 })),
        ),
    ),
    problem: /leaves/,
  },
  "a task that does not wait for its data": {
    program: withStep(({ engine }) => engine === "cores", (step) => ({ ...step, after: {} })),
    problem: /which it does not wait for/,
  },
  "a store that does not wait for its task": {
    program: withStep(
      (step) => isStore(step) && step.after.cores !== undefined,
      (step) => ({ ...step, after: {} }),
    ),
    problem: /which it does not wait for/,
  },
  "a wait for what comes later": {
    program: withStep(isLoad, (step) => ({ ...step, after: { cores: 1000 } })),
    problem: /not issued yet/,
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
