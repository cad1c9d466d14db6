// From a model to a program for a target: rewrites, then the plan. Where a rewrite made something that cannot be
// planned, it is taken back.

import { engineMappings } from "../targets/engines/registry.ts";
import type { Target } from "../targets/schema.ts";
import type { Model } from "./model/types.ts";
import { passesFor, rewrite } from "./passes/pipeline.ts";
import { plan, type UnsupportedNode, unsupportedNodes } from "./schedule/plan.ts";
import { MemoryMisfit } from "./schedule/place_tensors.ts";
import { LayerMisfit } from "./schedule/plan_layers.ts";
import type { Program } from "./schedule/program.ts";

/** What the caller may ask for. */
export interface CompileOptions {
  /** Use no more than so many bytes of L1, stacks and runtime included. */
  readonly l1Bytes?: number;
}

/** A model in the form that the target's engines take, and what they do. */
export interface CompiledModel {
  /** The rewritten model. */
  readonly model: Model;
  readonly program: Program;
}

/**
 * Rewrites and plans a model. A fused node that does not fit L1 is left as the file has it; where the accelerator's
 * form of the constants is too large for L2, all layers stay on the cores.
 *
 * @throws {AttoflowError} if a node has no engine or nothing fits; see `plan`
 */
export function compileModel(model: Model, target: Target, options: CompileOptions = {}): CompiledModel {
  try {
    return compileFor(model, target, options);
  } catch (error) {
    // Tiles of narrow layers are mostly padding: without the accelerator the same network may fit.
    if (!(error instanceof MemoryMisfit) || !target.engines.includes("ita")) throw error;
    const engines = target.engines.filter((engine) => engine !== "ita");
    return compileFor(model, { ...target, engines }, options);
  }
}

/** Operators that passes make for an accelerator and that no other engine has. */
const fusedForOneEngine = new Set(["RequantizedAttention", "RequantizedProductSum"]);

function compileFor(model: Model, target: Target, options: CompileOptions): CompiledModel {
  const unfused = new Map<string, string>();
  for (;;) {
    const notes = new Map<string, string>();
    const rewritten = rewrite(
      model,
      passesFor(target, { unfused, note: (node, reason) => notes.set(node, reason) }),
    );
    try {
      return { model: rewritten, program: plan(rewritten, target, engineMappings, { ...options, notes }) };
    } catch (error) {
      // A node that no engine can run in one go may still be done in its parts.
      const parts = error instanceof LayerMisfit && fusedForOneEngine.has(error.operator);
      if (!parts || unfused.has(error.node)) throw error;
      unfused.set(error.node, `as one piece ${error.reason}`);
    }
  }
}

/** All nodes that no engine of the target can run. */
export function unsupportedIn(model: Model, target: Target): UnsupportedNode[] {
  return unsupportedNodes(rewrite(model, passesFor(target)), target, engineMappings);
}
