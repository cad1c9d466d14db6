// `bench --kernels`: cycles an element of the worker cores' kernels, on the emulated cluster with operands in L1, beside
// plain versions of the same operators (targets/engines/cores/bench/plain.c) and beside what the planner expects.

import { coresMapping } from "../../targets/engines/cores/mapping.ts";
import { type NodeView, wholeBox } from "../../targets/engines/engine.ts";
import { flag, withDefault } from "@optique/core";
import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { inputsOf, outputsOf } from "../model/graph.ts";
import { byteLength, elementCount, type TensorData } from "../model/types.ts";
import { evaluateModel, outputsFrom } from "../operators/evaluate.ts";
import { fuseTables } from "../passes/fuse_tables.ts";
import { plain } from "./command.ts";
import { bytesOf, type RigCall, runKernels } from "./kernel_rig.ts";
import { type KernelWorkload, kernelWorkloads } from "./kernel_workloads.ts";
import { print, printJson, tableLines } from "./output.ts";
import { withTemporaryFolder } from "./temporary.ts";

/** What was measured of one workload; cycles are for one element of the result, on all worker cores together. */
export interface KernelMeasurement {
  readonly workload: string;
  readonly kernel: string;
  readonly elements: number;
  readonly cyclesPerElement: number;
  /** By the first call, that finds neither code in the instruction cache nor what a kernel keeps for later pieces. */
  readonly firstCyclesPerElement: number;
  /** What the planner reckons with. */
  readonly estimatedCyclesPerElement: number;
  readonly plainCyclesPerElement: number;
  /** Whether kernel and plain version gave what the operators mean. */
  readonly bitExact: boolean;
}

/** The node that a workload is after the passes for tables, and its data by position. */
function nodeOf({ model, inputs, name }: KernelWorkload): { view: NodeView; data: TensorData[] } {
  const rewritten = fuseTables.run(model);
  const [node, ...others] = rewritten.nodes;
  if (others.length > 0) throw new AttoflowError(`${name} is more than one node`);
  const operands = inputsOf(rewritten, node);
  const given = new Map(rewritten.inputs.map((input, i) => [input, inputs[i]]));
  return {
    view: { node, inputs: operands, outputs: outputsOf(rewritten, node) },
    data: operands.map((operand) => operand!.data ?? given.get(operand!.name)!),
  };
}

/** The kernel's call for the whole of a workload, and what the planner thinks that it takes. */
function kernelCall(workload: KernelWorkload, target: Target): { call: RigCall; cycles: number } {
  const { view, data } = nodeOf(workload);
  const mapping = coresMapping.mappings.get(view.node.operator)!;
  const { kernel, source, reads, writes, tables = [], scratch = [], parameters, cycles } = mapping.piece(
    view,
    wholeBox(view.outputs[0].shape),
    target,
  );
  const pointers = Object.fromEntries([
    ...reads.map(({ field, input }) => [field, data[input]]),
    ...tables.map(({ field, data }) => [field, data]),
    ...writes.map(({ field }) => [field, byteLength(view.outputs[0])]),
    ...scratch.map(({ field, bytes }) => [field, bytes]),
  ]);
  return { call: { kernel, source, pointers, parameters }, cycles };
}

/** Measures all workloads. */
export async function measureKernels(
  target: Target,
  cc: string | undefined,
): Promise<KernelMeasurement[]> {
  const workloads = kernelWorkloads();
  const kernels = workloads.map((workload) => kernelCall(workload, target));
  const calls = [
    ...kernels.map(({ call }) => call),
    ...workloads.map(({ plain: call }) => ({ ...call, source: "plain.c" })),
  ];
  const results = await withTemporaryFolder((folder) => runKernels(calls, target, folder, cc));
  return workloads.map(({ name, model, inputs }, i) => {
    const [expected] = outputsFrom(model, evaluateModel(model, inputs));
    const wanted = bytesOf(expected);
    const elements = elementCount(model.tensors.get(model.outputs[0])!.shape);
    const [own, simple] = [results[i], results[i + workloads.length]];
    return {
      workload: name,
      kernel: kernels[i].call.kernel,
      elements,
      cyclesPerElement: own.cycles / elements,
      firstCyclesPerElement: own.coldCycles / elements,
      estimatedCyclesPerElement: kernels[i].cycles / elements,
      plainCyclesPerElement: simple.cycles / elements,
      bitExact: [own, simple].every(({ results: { y } }) => wanted.every((byte, at) => byte === y[at])),
    };
  });
}

/** `--kernels`. */
export const kernelsFields = {
  kernels: withDefault(
    flag("--kernels", {
      description: plain("Only cycles an element of the worker cores' kernels, beside plain C."),
    }),
    false,
  ),
};

/** Runs and prints the benchmark; returns whether all results are exact. */
export async function benchKernels(
  target: Target,
  cc: string | undefined,
  json: boolean,
): Promise<boolean> {
  if (target.harts.workers !== 8 || target.boot !== "cluster-rom") {
    throw new AttoflowError("the kernels are measured on a cluster of eight worker cores", {
      where: target.name,
    });
  }
  const measurements = await measureKernels(target, cc);
  const exact = measurements.every(({ bitExact }) => bitExact);
  if (json) {
    for (const measurement of measurements) printJson({ type: "kernel", ...measurement });
    return exact;
  }
  const lines = measurements.map((m) => [
    m.workload,
    m.kernel,
    m.cyclesPerElement.toFixed(2),
    m.firstCyclesPerElement.toFixed(2),
    m.estimatedCyclesPerElement.toFixed(2),
    m.plainCyclesPerElement.toFixed(2),
    `${(m.plainCyclesPerElement / m.cyclesPerElement).toFixed(1)} x`,
    m.bitExact ? "yes" : "NO",
  ]);
  const heads = [
    "cycles an element",
    "kernel",
    "measured",
    "first call",
    "planned",
    "plain C",
    "faster",
    "bit-exact",
  ];
  print(...tableLines([heads, ...lines], [2, 3, 4, 5, 6]));
  return exact;
}
