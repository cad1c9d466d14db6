// Tests of runtime/validate: comparison, whole validations on a test machine, and the reports.

import assert from "node:assert/strict";
import { Session } from "../runtime/host/session.ts";
import { compareElements } from "../runtime/validate/compare.ts";
import { inferenceLines, inferenceObject, summaryLines, summaryObject } from "../runtime/validate/report.ts";
import {
  type InferenceReport,
  type Reference,
  type Summary,
  validateSession,
} from "../runtime/validate/validate.ts";
import { type Misbehaviour, TestMachine, testManifest } from "./host_machine.ts";

const inputs = [[Int8Array.of(1, 2, 3, -4, 5, 6), Int32Array.of(10, 20, 30, 40, 50, -600)]];
const sum = [12, 24, 36, 32, 60, -588];

const reference: Reference = ([x, b]) => {
  const doubled = Array.from(x, (value) => 2 * value);
  return new Map([["doubled", doubled], ["sum", doubled.map((value, i) => value + b[i])]]);
};

async function validate(
  misbehaviour: Misbehaviour,
  options: { layers?: Reference; expected?: number[] } = {},
): Promise<{ reports: InferenceReport[]; summary: Summary }> {
  const session = new Session(await testManifest(), new TestMachine(misbehaviour));
  await session.start();
  const reports: InferenceReport[] = [];
  const run = validateSession(session, inputs, {
    reference,
    ...(options.layers ? { layerReference: options.layers } : {}),
    ...(options.expected ? { expected: [[options.expected]] } : {}),
  });
  for (;;) {
    const step = await run.next();
    if (step.done) {
      await session.close();
      return { reports, summary: step.value };
    }
    reports.push(step.value);
  }
}

Deno.test("comparison finds number, greatest difference and first place", () => {
  assert.deepEqual(compareElements([1, 2, 3], [1, 2, 3], [3]), {
    elements: 3,
    mismatches: 0,
    maxDifference: 0,
  });
  assert.deepEqual(compareElements([0, 0, 5, 0, 0, -9], [0, 0, 4, 0, 0, 9], [2, 3]), {
    elements: 6,
    mismatches: 2,
    maxDifference: 18,
    first: { index: [0, 2], actual: 5, expected: 4 },
  });
  assert.equal(compareElements([NaN], [NaN], []).mismatches, 0);
  assert.equal(compareElements([NaN, 1], [1, 1], [2]).maxDifference, Infinity);
  assert.deepEqual(compareElements([-1], [1], []).first, { index: [], actual: -1, expected: 1 });
  assert.throws(() => compareElements([1], [1, 2], [2]), RangeError);
});

Deno.test("a right machine is bit-exact with the expected outputs, the reference and every layer", async () => {
  const { reports, summary } = await validate("none", { layers: reference, expected: sum });
  assert.deepEqual(summary, {
    bitExact: true,
    inferences: 1,
    mismatches: 0,
    cycles: 2 ** 32 + 123,
    macs: 12,
    macsPerCycle: 12 / (2 ** 32 + 123),
    target: "snitch-ita",
    model: "double and add",
    against: ["expected", "reference"],
  });
  assert.deepEqual(reports[0].outputs.map((output) => output.against), ["expected", "reference"]);
  assert.deepEqual(reports[0].layers, { compared: 2, differing: 0 });
  assert.equal(summaryLines(summary).at(-1), "bit-exact with the expected outputs and the reference");
});

Deno.test("a wrong machine is found out, down to the operator", async () => {
  const { reports, summary } = await validate("wrong sum", { layers: reference });
  assert.equal(summary.bitExact, false);
  assert.equal(summary.mismatches, 1);
  assert.deepEqual(reports[0].outputs[0].first, { index: [1, 1], actual: 63, expected: 60 });
  assert.equal(reports[0].layers!.first!.node, "add");
  const text = inferenceLines(reports[0]).join("\n");
  assert.match(
    text,
    /output sum \[2,3\] against the reference: 6 elements, 1 mismatches, max difference 3, first at \[1,1\]: 63 instead of 60/,
  );
  assert.match(text, /layers: 2 compared, 1 differ; the first is layer 1, Add add on cores: tensor sum/);
  assert.match(text, /4 294 967 419 cycles, 12 MACs/);
  assert.match(summaryLines(summary).at(-1)!, /^NOT bit-exact with the reference: 1 elements differ$/);
});

Deno.test("expected outputs that are wrong count as mismatches of their own", async () => {
  const { reports, summary } = await validate("none", { expected: sum.map((value) => value + 1) });
  assert.equal(summary.mismatches, 6);
  assert.deepEqual(reports[0].outputs.map(({ against, mismatches }) => [against, mismatches]), [
    ["expected", 6],
    ["reference", 0],
  ]);
});

Deno.test("reports are JSON, numbers that JSON does not know as text", async () => {
  const { reports, summary } = await validate("none", { expected: [NaN, ...sum.slice(1)] });
  const object = JSON.parse(JSON.stringify(inferenceObject(reports[0])));
  assert.equal(object.type, "inference");
  assert.deepEqual(object.outputs[0].first, { index: [0, 0], actual: 12, expected: "NaN" });
  assert.equal(object.outputs[0].maxDifference, "Infinity");
  const last = JSON.parse(JSON.stringify(summaryObject(summary)));
  for (const field of ["bitExact", "inferences", "mismatches", "cycles", "macs", "target", "model"]) {
    assert.ok(field in last, field);
  }
});
