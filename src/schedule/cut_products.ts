// How the layers of the accelerator are cut. A piece is some row blocks of the activation with all of the constants, so
// that layers can follow each other row block by row block. How many row blocks: one where the constants stay in L1 beside
// them; else so many that the constants, which come anew for each piece, come seldom.

import type { Box, Mapping, NodeView } from "../../targets/engines/engine.ts";
import type { Target } from "../../targets/schema.ts";
import type { Tiling } from "./pieces.ts";
import { layoutBytes } from "./boxes.ts";

/** What decides how a layer of the accelerator is cut. */
export interface Product {
  /** Shape of a piece of one row block, and the axes that are cut. */
  readonly shape: readonly number[];
  readonly order: readonly number[];
  /** Axis of the output that goes with the rows of the activation; absent if there is nothing to cut. */
  readonly rows?: { readonly axis: number; readonly granule: number; readonly extent: number };
  /** Tiles of constants of the layer, and of activations of one row block. */
  readonly constants: number;
  readonly activations: number;
  /** Jobs of one accumulation. */
  readonly inner: number;
  /** The one activation that it reads, by its index among the inputs: others that read it too can share it. */
  readonly source?: number;
}

/** Looks at a layer. */
export function productOf(view: NodeView, mapping: Mapping, target: Target): Product {
  const whole = view.outputs[0].shape;
  const cuts = mapping.cuts(view);
  const forced = cuts.filter(({ most }) => most !== undefined);
  const coarse = forced.reduce((shape, { axis, most }) => shape.with(axis, Math.min(most!, shape[axis])), [
    ...whole,
  ]);
  const at = (axis: number, start: number, size: number): Box => ({
    start: whole.map((_, i) => i === axis ? start : 0),
    shape: coarse.with(axis, Math.min(size, whole[axis] - start)),
  });
  const readsAt = (box: Box) => JSON.stringify(mapping.piece(view, box, target).reads.map(({ box }) => box));
  const cut = cuts.find(({ axis, granule, most }) =>
    most === undefined && whole[axis] > granule &&
    readsAt(at(axis, 0, granule)) !== readsAt(at(axis, granule, granule))
  );
  const box = cut ? at(cut.axis, 0, cut.granule) : { start: whole.map(() => 0), shape: coarse };
  const { reads, tables = [], accelerator } = mapping.piece(view, box, target);
  const tile = target.ita!.elements ** 2;
  const linear = accelerator?.[0].layer === "linear";
  return {
    shape: box.shape,
    order: [...forced.map(({ axis }) => axis), ...(cut ? [cut.axis] : [])],
    ...(cut ? { rows: { axis: cut.axis, granule: cut.granule, extent: whole[cut.axis] } } : {}),
    constants: tables.reduce((sum, { data }) => sum + Math.floor(data.length / tile), 0),
    activations: reads.reduce((sum, { box, layout }) => sum + layoutBytes(box, 1, layout) / tile, 0),
    inner: 1 + (accelerator?.[0].jobs.findIndex(({ output }) => output !== undefined) ?? 0),
    ...(linear && reads.length === 1 ? { source: reads[0].input } : {}),
  };
}

/**
 * Cuts layers that share their activation (or one that shares with nobody).
 *
 * @param most row blocks of a piece at most
 */
export function cutProducts(
  products: readonly Product[],
  arena: number,
  target: Target,
  most: number,
): Tiling[] {
  if (products.length === 0) return [];
  const frames = Math.floor(arena / target.ita!.elements ** 2);
  const constants = products.reduce((sum, product) => sum + product.constants, 0);
  return products.map(({ shape, order, rows, activations, inner, source }): Tiling => {
    if (!rows || source === undefined) return { shape, order };
    const blocks = Math.ceil(rows.extent / rows.granule);
    const fitting = constants <= frames / 2 ? 1 : Math.floor((frames - inner - spare) / activations);
    const pieces = Math.ceil(blocks / Math.max(1, Math.min(most, fitting)));
    const size = Math.ceil(blocks / pieces) * rows.granule;
    return { shape: shape.with(rows.axis, Math.min(size, rows.extent)), order };
  });
}

/** Tiles for results, biases and what is being brought. */
const spare = 4;
