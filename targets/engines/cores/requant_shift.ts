// RequantShift on the worker cores: kernels/requant_shift.c.

import { elementCount } from "../../../src/model/types.ts";
import type { Box, KernelCall, Mapping, NodeView } from "../engine.ts";
import { type ColumnScaling, columnsCall, fitsWord } from "./columns.ts";
import {
  constantReads,
  estimateCycles,
  needsWide,
  type Requantisation,
  requantParameters,
  typeCode,
} from "./kernel_types.ts";

/** Constants by column, where they vary along the last axis and are known. */
function byLastAxis(
  { inputs: [, mul, add, shifts], outputs: [y] }: NodeView,
  requantisation: Requantisation,
): ColumnScaling | undefined {
  const last = requantisation.axis >= 0 && requantisation.axis === y.shape.length - 1;
  if (!last || shifts || !mul!.data || !add!.data || y.dtype === "int32") return undefined;
  const parameters = requantParameters(requantisation);
  const rounding = parameters.shift > 0 ? 2 ** (parameters.shift - 1) : 0;
  return { mul: mul!.data, add: Array.from(add!.data, (value) => value + rounding), ...parameters };
}

/** Requantisation of a tensor, with one set of constants or one for each position on an axis. */
export const requantShiftMapping: Mapping = {
  rejects: ({ inputs: [x] }) => x!.dtype === "float32" ? "the operand is float32" : undefined,
  cuts: ({ outputs: [y] }) => y.shape.map((_, axis) => ({ axis, granule: 1 })),
  piece(view, box: Box, target): KernelCall {
    const [x, mul, add, shifts] = view.inputs;
    const requantisation = view.node.attributes as unknown as Requantisation;
    const { axis } = requantisation;
    const count = elementCount(box.shape);
    const inner = axis < 0 ? count : elementCount(box.shape.slice(axis + 1));
    const wide = needsWide(x!.range, mul!, add!, shifts, requantisation.shift);
    const scaling = wide ? undefined : byLastAxis(view, requantisation);
    if (scaling && fitsWord(x!.range, scaling)) return columnsCall(view, box, target, scaling);
    return {
      kernel: "requant_shift",
      source: "requant_shift.c",
      reads: [{ field: "x", input: 0, box }, ...constantReads([mul, add, shifts], axis, box, 1)],
      writes: [{ field: "y", output: 0, box }],
      parameters: {
        outer: axis < 0 ? 1 : elementCount(box.shape.slice(0, axis)),
        channels: axis < 0 ? 1 : box.shape[axis],
        inner,
        x_type: typeCode[x!.dtype],
        y_type: typeCode[view.outputs[0].dtype],
        wide: wide ? 1 : 0,
        ...requantParameters(requantisation),
      },
      macs: 0,
      cycles: estimateCycles({
        instructions: count * (inner === 1 ? 44 : (wide ? 24 : 8.4) + 40 / inner),
        products: count * (wide ? 2 : 1),
      }, target),
    };
  },
};
