// Which bytes a step reads and writes: the ground on which dependencies stand, and on which the checker looks.

import type { Job, Operand, Place, Step, Task, Transfer } from "./program.ts";

/** Rows of bytes that something reads or writes. */
export interface Access {
  readonly place: Place;
  readonly bytes: number;
  readonly rows: number;
  readonly stride: number;
  readonly write: boolean;
  /** Some of the bytes may hold anything. */
  readonly padded: boolean;
  /** Who does it, in words. */
  readonly what: string;
}

type Work = Pick<Step, "engine"> & {
  readonly transfers?: readonly Transfer[];
  readonly task?: Task;
  readonly jobs?: readonly Job[];
};

/** Every access of a step, in the order in which the step makes them. */
export function accessesOf(step: Work): Access[] {
  return [
    ...(step.transfers ?? []).flatMap(transferAccesses),
    ...Object.values(step.task?.pointers ?? {}).flatMap((operand) =>
      operandAccesses(operand, step.task!.kernel)
    ),
    ...(step.jobs ?? []).flatMap((job) =>
      [job.input, job.weights, job.nextWeights, job.bias, job.output].flatMap((operand) =>
        operand ? operandAccesses(operand, "a job") : []
      )
    ),
  ];
}

function transferAccesses(transfer: Transfer): Access[] {
  const { source, destination, bytes, rows, sourceStride, destinationStride } = transfer;
  const common = { bytes, rows, padded: false, what: "a transfer" };
  return [
    { ...common, place: source, stride: sourceStride, write: false },
    { ...common, place: destination, stride: destinationStride, write: true },
  ];
}

/** Operands are read and written wholly; working memory is written and then read by its user. */
function operandAccesses(operand: Operand, what: string): Access[] {
  const { bytes, access, padded } = operand;
  return [{ place: operand, bytes, rows: 1, stride: bytes, write: access !== "read", padded, what }];
}
