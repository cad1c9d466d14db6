/**
 * Attoflow takes an ONNX transformer of integers to a verified bare-metal binary for a RISC-V SoC: the code generator
 * makes a C project and an image, the host runtime emulates the SoC, runs the image and compares every bit of its
 * results with what the operators mean.
 *
 * @example From a model to results that are bit-exact
 * ```ts
 * import assert from "node:assert/strict";
 * import { exportModel, generate, loadTarget, openSession, validate, writeNpz } from "./mod.ts";
 * import { gemm } from "./examples/kernels.ts";
 *
 * const folder = await Deno.makeTempDir();
 * const { model, inputs } = gemm(16, 32, 16);
 *
 * // The code generator: ONNX file in, C project and image out.
 * const { manifest } = await generate({
 *   bytes: exportModel(model),
 *   import: { name: "gemm", softmaxShift: 0 },
 *   target: await loadTarget("snitch-ita"),
 *   out: `${folder}/gemm`,
 * });
 * assert.equal(manifest.macs, 16 * 32 * 16);
 *
 * // The host runtime: inputs in, results out.
 * {
 *   await using session = await openSession(`${folder}/gemm`);
 *   const { outputs, cycles } = await session.infer(inputs);
 *   assert.deepEqual(outputs[0].shape, [16, 16]);
 *   assert.ok(cycles > 0);
 * }
 *
 * // Every bit against the reference meaning of the operators.
 * await Deno.writeFile(`${folder}/x.npz`, writeNpz(new Map([["x", { shape: [16, 32], data: inputs[0] }]])));
 * for await (const report of validate(`${folder}/gemm`, { inputs: `${folder}/x.npz` })) {
 *   assert.equal(report.outputs[0].mismatches, 0);
 * }
 * await Deno.remove(folder, { recursive: true });
 * ```
 *
 * @module
 */

// The code generator.
export { type Analysis, analysisText, analyze, type AnalyzeOptions } from "./src/analyze.ts";
export { generate, type Generated, type GenerateOptions } from "./src/generate.ts";
export type { Model } from "./src/model/types.ts";
export { exportModel } from "./src/onnx/export.ts";
export { importModel, type ImportOptions } from "./src/onnx/import.ts";
export { evaluateModel } from "./src/operators/evaluate.ts";
export { estimateOf, type PlanEstimate } from "./src/schedule/estimate.ts";

// Targets, and what an image says of itself.
export { AttoflowError } from "./targets/errors.ts";
export { type EnergyEstimate, type EnergyEvents, estimateEnergy } from "./targets/energy.ts";
export type { EngineTime, EngineTimes } from "./targets/engine_time.ts";
export { builtInTargets } from "./targets/built_in.ts";
export { loadTarget } from "./targets/load.ts";
export type { Manifest } from "./targets/manifest.ts";
export type { Target } from "./targets/schema.ts";

// The host runtime.
export { EmulatorTransport } from "./runtime/host/emulator.ts";
export { openSession, type SessionOptions } from "./runtime/host/open.ts";
export type { InferenceOptions, InferenceResult, Session } from "./runtime/host/session.ts";
export type { Elements, ResultTensor } from "./runtime/host/tensors.ts";
export type { CacheChoice, Timing } from "./runtime/host/timing.ts";
export type { Transport, Wake } from "./runtime/host/transport.ts";
export { type Counters, countersBetween, energyEventsOf, sumOfCounters } from "./runtime/soc/counters.ts";
export { type NpyArray, readNpz, writeNpz } from "./runtime/validate/npz.ts";

// Both together.
export type { InferenceReport, Summary } from "./runtime/validate/validate.ts";
export { validate, type ValidateOptions } from "./src/cli/validate_folder.ts";
