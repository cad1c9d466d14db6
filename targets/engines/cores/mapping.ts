// The worker cores as the compiler sees them: which C kernel serves which operator. One file a family.

import type { EngineMapping } from "../engine.ts";
import { addMapping, clipMapping, mulMapping, reluMapping, subMapping } from "./elementwise.ts";
import { matmulMapping } from "./matmul.ts";
import { requantShiftMapping } from "./requant_shift.ts";

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
  ]),
};
