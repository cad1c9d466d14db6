// Prints what a validation found: lines for people, objects (one a line) for programs.

import { engineTimeLines } from "../../targets/engine_time.ts";
import type { Counters } from "../soc/counters.ts";
import { displayName } from "../host/names.ts";
import type { InferenceReport, LayerReport, OutputReport, Summary } from "./validate.ts";

/** Lines for one inference: each output, the first layer that differs, cycles. */
export function inferenceLines(report: InferenceReport): string[] {
  const lines = [`inference ${report.index}`];
  for (const output of report.outputs) lines.push(`  ${outputLine(output)}`);
  if (report.layers) lines.push(`  ${layersLine(report.layers)}`);
  lines.push(`  ${number(report.cycles)} cycles${rate(report.macs, report.cycles)}`);
  return lines;
}

/** Lines that close a validation; the last says whether it was bit-exact. */
export function summaryLines(summary: Summary): string[] {
  const against = summary.against.map((source) =>
    source === "expected" ? "the expected outputs" : "the reference"
  ).join(" and ");
  const count = `${summary.inferences} inference${summary.inferences === 1 ? "" : "s"}`;
  return [
    `${summary.model} on ${summary.target}: ${count}, ${number(summary.cycles)} cycles` +
    rate(summary.macs, summary.cycles),
    ...(summary.counters ? [countersLine(summary.counters, summary.inferences)] : []),
    ...(summary.energy ? [energyLine(summary)] : []),
    ...(summary.engines ? engineTimeLines(summary.engines) : []),
    summary.bitExact
      ? `bit-exact with ${against}`
      : `NOT bit-exact with ${against}: ${number(summary.mismatches)} elements differ`,
  ];
}

/** The NDJSON object of one inference. */
export function inferenceObject(report: InferenceReport): Record<string, unknown> {
  return {
    type: "inference",
    index: report.index,
    cycles: report.cycles,
    macs: report.macs,
    outputs: report.outputs.map(finite),
    ...(report.layers
      ? { layers: { ...report.layers, first: report.layers.first && finite(report.layers.first) } }
      : {}),
    layerCycles: report.result.layerCycles,
  };
}

/** The NDJSON object of the whole validation. */
export function summaryObject(summary: Summary): Record<string, unknown> {
  return { type: "summary", ...summary };
}

/** What was counted in one inference, on average. Shares of the harts' time are those of exact timing. */
function countersLine(counters: Counters, inferences: number): string {
  const { harts, accelerator, dma, l1, l2, cycles } = counters;
  const share = (part: number, whole: number) => `${whole > 0 ? (100 * part / whole).toFixed(1) : "0.0"} %`;
  const total = (values: readonly (number | undefined)[]) =>
    values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  const megabytes = (bytes: number) => `${(bytes / inferences / 1e6).toFixed(2)} MB`;
  const jobs = Object.values(accelerator?.kinds ?? {});
  const held = share(total(jobs.map(({ stalled }) => stalled)), total(jobs.map((kind) => kind.cycles)));
  const count = total(jobs.map((kind) => kind.jobs));
  const exact = harts.every(({ active }) => active !== undefined);
  const awake = harts.map(({ active }) => active!);
  const workers = dma ? awake.slice(0, -1) : awake;
  return [
    ...(count > 0
      ? [`${number(Math.round(count / inferences))} jobs (held up by the memory ${held} of the time)`]
      : []),
    ...(dma
      ? [`DMA ${megabytes(total(Object.values(dma.moved).flatMap((row) => Object.values(row))))}`]
      : []),
    ...(exact && l1
      ? [`L1 ${megabytes(total(Object.values(l1)))}`, `L2 ${megabytes(total(Object.values(l2)))}`]
      : []),
    ...(exact ? [`workers awake ${share(total(workers), workers.length * cycles)}`] : []),
    ...(exact && dma ? [`conductor awake ${share(awake.at(-1)!, cycles)}`] : []),
  ].join(", ");
}

function energyLine({ energy, inferences, macs }: Summary): string {
  const { microjoules, milliwatts } = energy!;
  const each = (microjoules / inferences).toFixed(1);
  const efficiency = macs > 0 ? `, ${number(Math.round(2 * macs / microjoules / 1e3))} GOp/J` : "";
  return `energy (estimate): ${milliwatts.toFixed(1)} mW, ${each} µJ an inference${efficiency}`;
}

function outputLine(output: OutputReport): string {
  const { name, shape, against, elements, mismatches, maxDifference } = output;
  const head = `output ${displayName(name)} [${shape}] against the ${
    against === "expected" ? "expected outputs" : "reference"
  }: ${number(elements)} elements, ${number(mismatches)} mismatches`;
  return output.first
    ? `${head}, max difference ${maxDifference}, first at ${firstMismatch(output)}`
    : `${head}, max difference 0`;
}

function layersLine(layers: NonNullable<InferenceReport["layers"]>): string {
  const { compared, differing, first } = layers;
  if (!first) return `layers: ${compared} compared, all equal`;
  return `layers: ${compared} compared, ${differing} differ; the first is layer ${first.layer}, ` +
    `${first.operator} ${displayName(first.node)} on ${first.engine}: tensor ${displayName(first.tensor)}, ` +
    `${number(first.mismatches)} of ${number(first.elements)} elements differ, ` +
    `max difference ${first.maxDifference}, first at ${firstMismatch(first)}`;
}

function firstMismatch({ first }: OutputReport | LayerReport): string {
  return first ? `[${first.index}]: ${first.actual} instead of ${first.expected}` : "";
}

/** JSON knows no Infinity and no NaN: they become strings. */
function finite<T extends OutputReport | LayerReport>(report: T): Record<string, unknown> {
  const text = (value: number) => Number.isFinite(value) ? value : String(value);
  const { first } = report;
  return {
    ...report,
    maxDifference: text(report.maxDifference),
    ...(first
      ? { first: { index: first.index, actual: text(first.actual), expected: text(first.expected) } }
      : {}),
  };
}

function rate(macs: number, cycles: number): string {
  return macs > 0 && cycles > 0 ? `, ${number(macs)} MACs, ${(macs / cycles).toFixed(2)} MACs/cycle` : "";
}

/** 1234567 as 1 234 567. */
function number(value: number): string {
  return value.toLocaleString("en-US").replaceAll(",", " ");
}
