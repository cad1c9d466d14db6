// Chooses how a layer is cut whose work is not the accelerator's (that is cut_products.ts). Candidates are balanced cuts
// of each axis that the mapping offers; each is judged by its working set (sampled at the first pieces) and an estimate
// of the pipeline's time, then the best are laid out in full until one fits.

import { dataCycles, programCycles } from "../../targets/engines/dma/timing.ts";
import type { Box, KernelCall, Mapping, NodeView } from "../../targets/engines/engine.ts";
import type { Target } from "../../targets/schema.ts";
import { byteLength, bytesPerElement, elementCount } from "../model/types.ts";
import { boxKey, layoutBytes, rowsOfLayout } from "./boxes.ts";
import { aligned } from "./budget.ts";
import { placePieces, sameBytes, type Tiling } from "./pieces.ts";
import { bytesPerCycleOf, contention, estimate } from "./pipeline.ts";

/** Why nothing fits: the smallest working set there is and the largest operand in it. */
export interface Misfit {
  readonly bytes: number;
  readonly largest: { readonly field: string; readonly tensor: string; readonly bytes: number };
}

/** Sizes tried on one axis at most, and candidates laid out in full. */
const sizesPerAxis = 16;
const laidOut = 6;
/** Loop orders are permuted for so many cut axes at most. */
const permutedAxes = 3;

interface Candidate {
  readonly tiling: Tiling;
  /** Fields with one place in L1 instead of two. */
  readonly single: ReadonlySet<string>;
  readonly bytes: number;
  readonly cycles: number;
  /** Part of them in which work waits for operands that have only one place. */
  readonly waiting: number;
  readonly largest: Misfit["largest"];
}

/**
 * Finds the tiling with the least estimated time whose working set is at most `budget` bytes.
 *
 * @returns the tiling, or what is in the way
 */
export function chooseTiling(
  view: NodeView,
  mapping: Mapping,
  target: Target,
  budget: number,
): Tiling | Misfit {
  const shape = view.outputs[0].shape;
  const cuts = mapping.cuts(view).filter((cut) => shape[cut.axis] > cut.granule);
  const sizes = cuts.map((cut) => sizesOf(shape[cut.axis], cut.granule, cut.most));
  const axes = cuts.map((cut) => cut.axis);

  const fitting: Candidate[] = [];
  let smallest: Candidate | undefined;
  for (const combination of combinations(sizes)) {
    const tile = axes.reduce((tile, axis, i) => tile.with(axis, combination[i]), [...shape]);
    const hopeless = byteLength({ dtype: view.outputs[0].dtype, shape: tile }) > budget;
    if (hopeless && combination.some((size, i) => size !== sizes[i].at(-1))) continue;
    const sample = sampleOf(view, mapping, target, tile, axes);
    for (const order of axes.length <= permutedAxes ? permutations(axes) : [axes]) {
      for (const tight of [0, 1, 2] as const) {
        const candidate = judge(view, { shape: tile, order }, sample, target.dma !== undefined, tight);
        if (!smallest || candidate.bytes < smallest.bytes) smallest = candidate;
        if (candidate.bytes <= budget) fitting.push(candidate);
      }
    }
  }

  fitting.sort((a, b) => a.cycles - b.cycles || a.bytes - b.bytes);
  let best: { tiling: Tiling; cycles: number } | undefined;
  for (let next = 0, tried = 0; next < fitting.length && (tried < laidOut || !best); next++, tried++) {
    const { tiling, single, waiting } = fitting[next];
    const pieces = placePieces(view, mapping, tiling, single, target);
    if (pieces.bytes > budget) continue;
    const cycles = estimate(pieces, target) + waiting;
    if (!best || cycles < best.cycles) best = { tiling, cycles };
  }
  return best?.tiling ?? { bytes: smallest!.bytes, largest: smallest!.largest };
}

/** Piece sizes for an axis: the ones that cut it evenly into pieces of at most `limit`, largest first, a few of them. */
function sizesOf(extent: number, granule: number, limit: number = extent): number[] {
  const most = Math.ceil(extent / granule);
  const sizes = new Set<number>();
  for (let pieces = Math.ceil(extent / limit); pieces <= most; pieces++) {
    sizes.add(Math.min(extent, Math.ceil(Math.ceil(extent / pieces) / granule) * granule));
    if (sizes.size > 256) break;
  }
  sizes.add(Math.min(extent, granule));
  const all = [...sizes].filter((size) => size <= limit).sort((a, b) => b - a);
  if (all.length <= sizesPerAxis) return all;
  // Few pieces matter most: keep the first sizes, and of the rest an evenly spread choice with the smallest.
  const head = all.slice(0, sizesPerAxis / 2);
  const tail = all.slice(sizesPerAxis / 2);
  const step = (tail.length - 1) / (sizesPerAxis / 2 - 1);
  return [...head, ...Array.from({ length: sizesPerAxis / 2 }, (_, i) => tail[Math.round(i * step)])];
}

function* combinations(sizes: readonly number[][]): Generator<number[]> {
  if (sizes.length === 0) {
    yield [];
    return;
  }
  const [first, ...rest] = sizes;
  for (const size of first) for (const others of combinations(rest)) yield [size, ...others];
}

function permutations(axes: readonly number[]): number[][] {
  if (axes.length <= 1) return [[...axes]];
  return axes.flatMap((axis) =>
    permutations(axes.filter((other) => other !== axis)).map((rest) => [axis, ...rest])
  );
}

/** What the first pieces need: bytes and data cycles of each field, and the axes along which its region moves. */
interface Sample {
  readonly call: KernelCall;
  readonly fields: readonly {
    readonly field: string;
    readonly tensor: string;
    readonly access: "read" | "write" | "scratch";
    readonly bytes: number;
    readonly cycles: number;
    readonly moves: ReadonlySet<number>;
  }[];
}

function sampleOf(
  view: NodeView,
  mapping: Mapping,
  target: Target,
  tile: readonly number[],
  axes: readonly number[],
): Sample {
  const shape = view.outputs[0].shape;
  const at = (axis?: number): Box => {
    const start = shape.map((_, i) => i === axis ? tile[i] : 0);
    return { start, shape: tile.map((size, i) => Math.min(size, shape[i] - start[i])) };
  };
  const call = mapping.piece(view, at(), target);
  const neighbours = axes.filter((axis) => tile[axis] < shape[axis])
    .map((axis) => ({ axis, call: mapping.piece(view, at(axis), target) }));
  const beat = bytesPerCycleOf(target);

  const reads = call.reads.map(({ field, input, box, layout }) => {
    const tensor = view.inputs[input]!;
    const element = bytesPerElement[tensor.dtype];
    const moved = neighbours.flatMap(({ axis, call }) => {
      const other = call.reads.find((read) => read.field === field);
      return other && boxKey(other.box) === boxKey(box) ? [] : [{ axis, box: other?.box ?? box }];
    });
    const bytes = Math.max(
      layoutBytes(box, element, layout),
      ...moved.map((m) => layoutBytes(m.box, element, layout)),
    );
    const cycles = rowsOfLayout(tensor.shape, element, box, layout)
      .reduce(
        (sum, rows) => sum + Math.max(programCycles, dataCycles({ ...rows, toOutside: false }, beat)),
        0,
      );
    return {
      field,
      tensor: tensor.name,
      access: "read" as const,
      bytes,
      cycles,
      moves: new Set(moved.map((m) => m.axis)),
    };
  });
  const writes = call.writes.map(({ field, output, box, layout }) => {
    const tensor = view.outputs[output];
    const element = bytesPerElement[tensor.dtype];
    const cycles = rowsOfLayout(tensor.shape, element, box, layout)
      .reduce(
        (sum, rows) => sum + Math.max(programCycles, dataCycles({ ...rows, toOutside: true }, beat)),
        0,
      );
    const bytes = layoutBytes(box, element, layout);
    return { field, tensor: tensor.name, access: "write" as const, bytes, cycles, moves: new Set(axes) };
  });
  const tables = (call.tables ?? []).map(({ field, data }) => {
    const differs = (other: KernelCall) => {
      const table = other.tables?.find((candidate) => candidate.field === field);
      return table === undefined || !sameBytes(table.data, data);
    };
    return {
      field,
      tensor: `constants ${field}`,
      access: "read" as const,
      bytes: data.length,
      cycles: Math.max(programCycles, Math.ceil(data.length / beat)),
      moves: new Set(neighbours.filter(({ call }) => differs(call)).map(({ axis }) => axis)),
    };
  });
  const others = (call.scratch ?? []).map(({ field, bytes }) => ({
    field,
    tensor: `working data ${field}`,
    access: "scratch" as const,
    bytes,
    cycles: 0,
    moves: new Set<number>(),
  }));
  const copied = new Set(call.kernel === "" ? writes.map((write) => write.field) : []);
  return {
    call,
    fields: [...reads.filter((read) => !copied.has(read.field)), ...writes, ...tables, ...others],
  };
}

/** Working set and time of a tiling, from its sample. */
function judge(
  view: NodeView,
  tiling: Tiling,
  sample: Sample,
  overlap: boolean,
  tight: 0 | 1 | 2,
): Candidate {
  const shape = view.outputs[0].shape;
  const counts = tiling.order.map((axis) => Math.ceil(shape[axis] / tiling.shape[axis]));
  const innermost = counts.findLastIndex((count) => count > 1);
  const single = new Set<string>();
  const pieces = counts.reduce((product, count) => product * count, 1);
  let bytes = 0;
  let moved = 0;
  let first = 0;
  let waiting = 0;
  let largest = { field: "", tensor: "", bytes: -1 };
  for (const field of sample.fields) {
    const deepest = tiling.order.findLastIndex((axis, i) => counts[i] > 1 && field.moves.has(axis));
    const times = counts.slice(0, deepest + 1).reduce((product, count) => product * count, 1);
    // What the innermost loop leaves alone changes seldom: with one place for it, work waits while it is loaded. If
    // that is not enough, one place for everything.
    const seldom = field.access === "read" && deepest < innermost;
    const waits = field.access !== "scratch" && times > 1 && (tight === 2 || (tight === 1 && seldom));
    if (waits) {
      single.add(field.field);
      waiting += overlap ? times * field.cycles : 0;
    }
    const copies = field.access !== "scratch" && times > 1 && !waits ? 2 : 1;
    bytes += copies * aligned(field.bytes);
    moved += times * field.cycles;
    first += field.cycles;
    if (field.bytes > largest.bytes) {
      largest = { field: field.field, tensor: field.tensor, bytes: field.bytes };
    }
  }
  // The first piece is the largest one: scale its work by the share of the output that it makes.
  const share = elementCount(shape) / Math.max(1, elementCount(tiling.shape));
  const work = sample.call.cycles * Math.min(pieces, share);
  const cycles = (overlap ? Math.max(moved, work + contention * moved) + first : work + moved) +
    pieceOverhead * pieces + waiting;
  return { tiling, single, bytes, cycles, waiting, largest };
}

/** Cycles that one more piece costs: a phase (see pipeline.ts) and the kernel's call. */
const pieceOverhead = 100;
