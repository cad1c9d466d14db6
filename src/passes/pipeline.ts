// The rewrites, in the order in which they run. A target's engines may ask for more behind these.

import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { verifyModel } from "../model/verify.ts";
import type { Model } from "../model/types.ts";
import { limitConcatOperands } from "./concat_operands.ts";
import { dropDeadNodes } from "./dead_nodes.ts";
import { foldConstants } from "./fold_constants.ts";
import { fuseConv } from "./fuse_conv.ts";
import { fuseMatMul } from "./fuse_matmul.ts";
import { fuseRelu } from "./fuse_relu.ts";
import { fuseTables } from "./fuse_tables.ts";
import { itaPasses } from "./ita.ts";
import { lowerAliases } from "./lower_aliases.ts";
import { lowerGather } from "./lower_gather.ts";
import type { FusionOptions, Pass } from "./pass.ts";
import { dropUnityRequant } from "./unity_requant.ts";

/** Rewrites that every target wants. */
export const standardPasses: readonly Pass[] = [
  foldConstants,
  dropDeadNodes,
  lowerGather,
  limitConcatOperands,
  lowerAliases,
  dropUnityRequant,
  fuseMatMul,
  fuseConv,
  fuseRelu,
];

/** Rewrites of what no other one has taken: they hide from the others what the tables compute. */
const lastPasses: readonly Pass[] = [fuseTables];

/**
 * Rewrites for a target: the standard ones, behind them what its engines ask for, and at last the tables.
 *
 * @param options nodes that such rewrites must leave alone, and who is told why they left others alone
 */
export function passesFor(target: Target, options: FusionOptions = {}): Pass[] {
  const ita = target.engines.includes("ita") ? itaPasses(target, options) : [];
  return [...standardPasses, ...ita, ...lastPasses];
}

/**
 * Runs passes over a model and checks it behind each.
 *
 * @throws {AttoflowError} naming the pass, if one leaves an inconsistent model
 */
export function rewrite(model: Model, passes: readonly Pass[] = standardPasses): Model {
  return passes.reduce((current, pass) => {
    const next = pass.run(current);
    try {
      verifyModel(next);
    } catch (cause) {
      throw new AttoflowError(`pass ${pass.name} broke the model: ${(cause as Error).message}`, { cause });
    }
    return next;
  }, model);
}
