// Which converter serves which operator of the file. Domains do not count: the dialect uses three of them for
// the same operators.

import { convertAdd, convertBinary, convertClip, convertUnary } from "./elementwise.ts";
import type { Converter } from "./conversion.ts";
import {
  convertIGELU,
  convertIHardswish,
  convertINoNorm,
  convertIntegerDiv,
  convertISoftmax,
  convertITAMax,
  convertITAPartialMax,
  convertNorm,
  convertTrueIntegerDiv,
} from "./dialect.ts";
import {
  convertConcat,
  convertFlatten,
  convertGather,
  convertIdentity,
  convertPad,
  convertReduce,
  convertReshape,
  convertSlice,
  convertSqueeze,
  convertTranspose,
  convertUnsqueeze,
} from "./movement.ts";
import { convertConv, convertGemm, convertMatMul, convertMaxPool } from "./products.ts";
import { convertRequantShift } from "./requant.ts";

/** Converters by the file's name of the operator. */
export const converters: ReadonlyMap<string, Converter> = new Map([
  ["Add", convertAdd],
  ["Sub", convertBinary],
  ["Mul", convertBinary],
  ["Relu", convertUnary],
  ["Clip", convertClip],
  ["RequantShift", convertRequantShift],
  ["MatMul", convertMatMul],
  ["Gemm", convertGemm],
  ["Conv", convertConv],
  ["MaxPool", convertMaxPool],
  ["Pad", convertPad],
  ["Transpose", convertTranspose],
  ["Concat", convertConcat],
  ["Slice", convertSlice],
  ["Gather", convertGather],
  ["Reshape", convertReshape],
  ["Identity", convertIdentity],
  ["Dropout", convertIdentity],
  ["Flatten", convertFlatten],
  ["Squeeze", convertSqueeze],
  ["Unsqueeze", convertUnsqueeze],
  ["ReduceSum", convertReduce],
  ["ReduceMean", convertReduce],
  ["IntegerMean", convertReduce],
  ["iSoftmax", convertISoftmax],
  ["ITAMax", convertITAMax],
  ["ITAPartialMax", convertITAPartialMax],
  ["iGELU", convertIGELU],
  ["iHardswish", convertIHardswish],
  ["iLayerNorm", convertNorm],
  ["iRMSNorm", convertNorm],
  ["iNoNorm", convertINoNorm],
  ["IntegerDiv", convertIntegerDiv],
  ["TrueIntegerDiv", convertTrueIntegerDiv],
]);
