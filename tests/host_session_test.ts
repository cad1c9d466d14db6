// Tests of runtime/host/session.ts: the mailbox protocol as the host plays it, on a machine made for it.

import assert from "node:assert/strict";
import type { Elements } from "../runtime/host/tensors.ts";
import { Session } from "../runtime/host/session.ts";
import { AttoflowError } from "../targets/errors.ts";
import { type Misbehaviour, TestMachine, testManifest } from "./host_machine.ts";

const x = Int8Array.of(1, 2, 3, -4, 5, 6);
const b = Int32Array.of(10, 20, 30, 40, 50, -600);

async function open(machine: TestMachine, maxCycles?: number): Promise<Session> {
  const session = new Session(await testManifest(), machine, undefined, maxCycles);
  await session.start();
  return session;
}

function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof AttoflowError, String(error));
    assert.match(error.paragraph, message);
    assert.ok(!error.paragraph.includes("\n"));
    return true;
  });
}

Deno.test("inferences one after the other, then the end of the program", async () => {
  const machine = new TestMachine();
  {
    await using session = await open(machine);
    const results = [];
    for await (const result of session.run([[x, b], [x.map((v) => -v), b]])) results.push(result);
    assert.deepEqual(results.map((result) => result.index), [0, 1]);
    assert.deepEqual([...results[0].outputs[0].data], [12, 24, 36, 32, 60, -588]);
    assert.deepEqual([...results[1].outputs[0].data], [8, 16, 24, 48, 40, -612]);
    assert.equal(results[0].outputs[0].name, "sum");
    assert.equal(results[0].cycles, 2 ** 32 + 123);
    assert.deepEqual(results[0].layerCycles, [40, 60]);
    assert.equal(results[0].layers, undefined);
  }
  assert.ok(machine.exited);
  assert.ok(machine.closed);
});

Deno.test("inputs may come from an async source", async () => {
  async function* source(): AsyncGenerator<Elements[]> {
    for (let i = 0; i < 3; i++) {
      await Promise.resolve();
      yield [new Int8Array(6).fill(i), b];
    }
  }
  await using session = await open(new TestMachine());
  const firsts = [];
  for await (const { outputs } of session.run(source())) firsts.push(outputs[0].data[0]);
  assert.deepEqual(firsts, [10, 12, 14]);
});

Deno.test("with layers, every layer's results come back", async () => {
  await using session = await open(new TestMachine());
  for (let i = 0; i < 2; i++) {
    const { layers } = await session.infer([x, b], { layers: true });
    assert.deepEqual(layers!.map((layer) => layer.outputs[0].name), ["doubled", "sum"]);
    assert.deepEqual([...layers![0].outputs[0].data], [2, 4, 6, -8, 10, 12]);
  }
  assert.equal((await session.infer([x, b])).layers, undefined);
});

Deno.test("a machine that misbehaves ends in an error that names the place", async () => {
  const cases: [Misbehaviour, RegExp][] = [
    [
      "hangs",
      /test machine, inference 0, layer 0 \(Mul double\): not done after 500 cycles: the one hart is in/,
    ],
    ["exits", /inference 0.*ended with exit code 9/],
    ["fails", /inference 0.*hart 2 trapped at 0x80001234 \(\?\), mcause 5/],
  ];
  for (const [misbehaviour, message] of cases) {
    const machine = new TestMachine(misbehaviour);
    const session = await open(machine, 500);
    await rejects(session.infer([x, b]), message);
    assert.ok(machine.closed);
    await rejects(session.infer([x, b]), /session is closed/);
    await session.close();
  }
});

Deno.test("an image that does not come up, or is another one, is refused", async () => {
  await rejects(open(new TestMachine("never ready"), 500), /the start: not done after 500 cycles/);
  await rejects(
    open(new TestMachine("wrong layers")),
    /7 layers, version 1 and 2 layers are expected.*generate/,
  );
});

Deno.test("wrong inputs are explained, and the session goes on", async () => {
  await using session = await open(new TestMachine());
  await rejects(session.infer([x]), /has 2 inputs, 1 are given/);
  await rejects(session.infer([x, x]), /input 1 \(b\): it wants 6 elements of int32, 6 of int8 are given/);
  await rejects(session.infer([x.slice(1), b]), /input 0 \(x\): it wants 6 elements of int8, 5 of int8/);
  await rejects(session.infer([Int8Array.of(1, 2, 3, 101, 0, 0), b]), /\[1,0\] is 101.*from -100 to 100/);
  assert.equal((await session.infer([x, b])).index, 0);
});

Deno.test("one inference at a time", async () => {
  await using session = await open(new TestMachine());
  const first = session.infer([x, b]);
  await rejects(session.infer([x, b]), /under way/);
  assert.equal((await first).index, 0);
});
