// The tracks of a timeline that are not harts: inferences and their layers, DMA transfers, jobs of the accelerator.

import type { Transfer } from "../../targets/engines/dma/device.ts";
import type { Manifest } from "../../targets/manifest.ts";
import type { Target } from "../../targets/schema.ts";
import { hex } from "../hart/disassemble.ts";
import type { FinishedJob } from "../soc/observer.ts";
import { displayName } from "../host/names.ts";
import type { LayerListener } from "./layers.ts";
import type { Details, Timeline } from "./timeline.ts";

/** Draws inferences and layers on a track of their own. */
export class LayerTrack implements LayerListener {
  readonly #timeline: Timeline;
  readonly #track: number;
  readonly #manifest: Manifest;
  readonly #time: (cycles: number) => Details;
  #inferences = 0;
  #inference = -1;
  #layer = -1;
  #since = 0;

  constructor(timeline: Timeline, manifest: Manifest, target: Target) {
    this.#timeline = timeline;
    this.#manifest = manifest;
    this.#track = timeline.addTrack("network");
    this.#time = durationOf(target);
  }

  inferenceBegins(cycle: number): void {
    this.#inference = cycle;
  }

  layerBegins(layer: number, cycle: number): void {
    this.#layer = layer;
    this.#since = cycle;
  }

  layerEnds(_layer: number, cycle: number): void {
    const { node, operator, engine, macs, estimatedCycles } = this.#manifest.layers[this.#layer];
    const name = this.#timeline.nameNumber(`${this.#layer} ${operator} ${displayName(node)}`);
    const details = { engine, macs, estimatedCycles, ...this.#time(cycle - this.#since) };
    this.#timeline.add(this.#track, name, this.#since, cycle, details);
    this.#layer = -1;
  }

  inferenceEnds(cycle: number): void {
    const name = this.#timeline.nameNumber(`inference ${this.#inferences++}`);
    this.#timeline.add(this.#track, name, this.#inference, cycle, this.#time(cycle - this.#inference));
    this.#inference = -1;
  }

  /** Ends what is under way: the run is over. */
  finish(cycle: number): void {
    if (this.#layer >= 0) this.layerEnds(this.#layer, cycle);
    if (this.#inference >= 0) this.inferenceEnds(cycle);
  }
}

/** Draws the transfers of the DMA engine, one behind the other as the data path takes them. */
export class DmaTrack {
  readonly #timeline: Timeline;
  readonly #track: number;
  readonly #target: Target;
  readonly #time: (cycles: number) => Details;
  #free = 0;

  constructor(timeline: Timeline, target: Target) {
    this.#timeline = timeline;
    this.#target = target;
    this.#track = timeline.addTrack("DMA");
    this.#time = durationOf(target);
  }

  add({ id, source, destination, bytes, rows, issued }: Transfer, done: number): void {
    const start = Math.max(issued, this.#free), end = Math.max(start + 1, done + 1);
    this.#free = end;
    const direction = `${this.#memoryOf(source)} → ${this.#memoryOf(destination)}`;
    const total = bytes * rows;
    this.#timeline.add(this.#track, this.#timeline.nameNumber(direction), start, end, {
      id,
      bytes: total,
      rows,
      source: hex(source),
      destination: hex(destination),
      issued,
      bytesPerCycle: Math.round(100 * total / (end - start)) / 100,
      ...this.#time(end - start),
    });
  }

  #memoryOf(address: number): string {
    const memory = this.#target.memories.find(({ base, alias, size }) =>
      [base, alias ?? base].some((start) => address >= start && address - start < size)
    );
    return memory?.name ?? "outside";
  }
}

/** Draws the accelerator's jobs. */
export class JobTrack {
  readonly #timeline: Timeline;
  readonly #track: number;
  readonly #time: (cycles: number) => Details;

  constructor(timeline: Timeline, target: Target, name: string) {
    this.#timeline = timeline;
    this.#track = timeline.addTrack(name);
    this.#time = durationOf(target);
  }

  add({ name, start, end, details }: FinishedJob): void {
    const number = this.#timeline.nameNumber(name);
    this.#timeline.add(this.#track, number, start, end, { ...details, ...this.#time(end - start) });
  }
}

/** Cycles of a span, and microseconds at the target's clock. */
function durationOf({ clock }: Target): (cycles: number) => Details {
  return (cycles) => ({ cycles, microseconds: Math.round(cycles * 1e9 / clock.hertz) / 1000 });
}
