// The rewrites for targets with ITA, in their order.

import type { Target } from "../../targets/schema.ts";
import { dropDeadNodes } from "./dead_nodes.ts";
import { fuseAttention } from "./fuse_attention.ts";
import { fuseGelu } from "./fuse_gelu.ts";
import { fuseSum } from "./fuse_sum.ts";
import { lowerAliases } from "./lower_aliases.ts";
import { packTerms } from "./pack_terms.ts";
import type { FusionOptions, Pass } from "./pass.ts";
import { recentreUnsigned } from "./recentre_unsigned.ts";
import { transposeOperands } from "./transpose_operands.ts";

/** Rewrites that bring a model into the form that the target's ITA takes. They run behind the standard ones. */
export function itaPasses(target: Target, options: FusionOptions = {}): Pass[] {
  return [
    fuseSum(target, options),
    packTerms(target),
    recentreUnsigned(target),
    fuseGelu(target, options),
    fuseAttention(target, options),
    transposeOperands(target),
    dropDeadNodes,
    lowerAliases,
  ];
}
