// What a model holds and costs on a target, whether it fits, which engine runs what and why, and everything that is
// in the way. Nothing is built.

import { AttoflowError } from "../targets/errors.ts";
import type { Target } from "../targets/schema.ts";
import type { Model } from "./model/types.ts";
import { compileModel, unsupportedIn } from "./compile_model.ts";
import { type ImportOptions, type Inspection, inspectModel } from "./onnx/import.ts";
import type { UnsupportedNode } from "./schedule/plan.ts";
import type { Program } from "./schedule/program.ts";
import { engineTimeLines } from "../targets/engine_time.ts";
import { estimateLines, estimateOf, type PlanEstimate } from "./schedule/estimate.ts";
import { costLines, layerTable, memoryTable } from "./schedule/summary.ts";

/** What to look at. */
export interface AnalyzeOptions {
  /** The ONNX file. */
  readonly bytes: Uint8Array;
  readonly import: ImportOptions;
  readonly target: Target;
  /** Use no more than so many bytes of L1. */
  readonly l1Bytes?: number;
}

/** What was found. */
export interface Analysis {
  /** The file: opset, operators as it names them, inputs, and what keeps it from being imported. */
  readonly file: Inspection;
  /** The model, rewritten where there is a program, if the file can be imported. */
  readonly model?: Model;
  /** Nodes that no engine of the target can run, all of them. */
  readonly unsupported: readonly UnsupportedNode[];
  /** Why there is no program although every node has an engine: it does not fit. */
  readonly misfit?: AttoflowError;
  /** The plan, if there is one, and what it promises. */
  readonly program?: Program;
  readonly estimate?: PlanEstimate;
}

/**
 * Analyzes an ONNX file for a target.
 *
 * @throws {AttoflowError} if the bytes are no ONNX file
 */
export function analyze({ bytes, import: importOptions, target, l1Bytes }: AnalyzeOptions): Analysis {
  const file = inspectModel(bytes, importOptions);
  if (!file.model) return { file, unsupported: [] };
  const unsupported = unsupportedIn(file.model, target);
  if (unsupported.length > 0) return { file, model: file.model, unsupported };
  try {
    const { model, program } = compileModel(file.model, target, { l1Bytes });
    return { file, unsupported, model, program, estimate: estimateOf(program, target) };
  } catch (error) {
    if (!(error instanceof AttoflowError)) throw error;
    return { file, model: file.model, unsupported, misfit: error };
  }
}

/** The analysis as text: one table for the costs, one for memory, one for the layers; then what is in the way. */
export function analysisText(analysis: Analysis): string {
  const { file, program, estimate, unsupported, misfit } = analysis;
  const operators = [...file.operators].map(([operator, count]) => `${count} ${operator}`).join(", ");
  const lines = [
    `file        opset ${file.opset}, ${file.producer || "unknown producer"}: ${operators || "no nodes"}`,
  ];
  if (program) {
    lines.push(
      ...costLines(program.layers, program.macs, program.parameters),
      ...(estimate ? estimateLines(estimate) : []),
      "",
      ...(estimate?.engines ? [...engineTimeLines(estimate.engines), ""] : []),
      ...memoryTable(program.memories),
      "",
      ...layerTable(program.layers),
    );
  }
  if (file.problems.length > 0) {
    lines.push("", "not importable:", ...file.problems.map((problem) => `  ${problem.paragraph}`));
  }
  for (const { node, operator, rejections } of unsupported) {
    const reasons = rejections.map(({ engine, reason }) => `${engine}: ${reason}`).join("; ");
    lines.push(`unsupported  ${operator} ${JSON.stringify(node.slice(0, 60))}: ${reasons}`);
  }
  if (misfit) lines.push("", `does not fit: ${misfit.paragraph}`);
  return lines.join("\n") + "\n";
}
