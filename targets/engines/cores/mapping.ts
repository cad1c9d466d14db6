// The worker cores as the compiler sees them: which C kernel serves which operator. One file a family.

import type { EngineMapping } from "../engine.ts";
import { geluMapping, hardswishMapping, lookupMapping, lookupSumMapping } from "./activations.ts";
import { integerDivMapping, trueIntegerDivMapping } from "./divisions.ts";
import { addMapping, clipMapping, mulMapping, reluMapping, subMapping } from "./elementwise.ts";
import { matmulMapping } from "./matmul.ts";
import { concatMapping, gatherMapping, padMapping, sliceMapping, transposeMapping } from "./moves.ts";
import { noNormMapping, normMapping } from "./norms.ts";
import { dequantMapping, quantMapping } from "./quant.ts";
import { reduceMeanMapping, reduceSumMapping } from "./reduce.ts";
import { requantShiftMapping } from "./requant_shift.ts";
import { itaMaxMapping, softmaxMapping } from "./rows.ts";
import { convMapping, maxPoolMapping } from "./windows.ts";

/** The worker cores: C kernels for every operator of the dialect. */
export const coresMapping: EngineMapping = {
  name: "cores",
  mappings: new Map([
    ["Add", addMapping],
    ["Sub", subMapping],
    ["Mul", mulMapping],
    ["Relu", reluMapping],
    ["Clip", clipMapping],
    ["RequantShift", requantShiftMapping],
    ["MatMul", matmulMapping],
    ["Gemm", matmulMapping],
    ["RequantizedMatMul", matmulMapping],
    ["Conv", convMapping],
    ["RequantizedConv", convMapping],
    ["MaxPool", maxPoolMapping],
    ["Transpose", transposeMapping],
    ["Slice", sliceMapping],
    ["Concat", concatMapping],
    ["Pad", padMapping],
    ["Gather", gatherMapping],
    ["ReduceSum", reduceSumMapping],
    ["ReduceMean", reduceMeanMapping],
    ["iSoftmax", softmaxMapping],
    ["ITAMax", itaMaxMapping],
    ["ITAPartialMax", itaMaxMapping],
    ["iLayerNorm", normMapping],
    ["iRMSNorm", normMapping],
    ["iNoNorm", noNormMapping],
    ["Lookup", lookupMapping],
    ["LookupSum", lookupSumMapping],
    ["iGELU", geluMapping],
    ["iHardswish", hardswishMapping],
    ["IntegerDiv", integerDivMapping],
    ["TrueIntegerDiv", trueIntegerDivMapping],
    ["Quant", quantMapping],
    ["Dequant", dequantMapping],
  ]),
};
