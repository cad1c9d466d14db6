// Timeline and profile of a run: what is asked for is built, put together and handed to the SoC as its observer.

import type { Manifest } from "../../targets/manifest.ts";
import { peripheralOf } from "../../targets/load.ts";
import type { Target } from "../../targets/schema.ts";
import type { Image } from "../image/types.ts";
import type { ObservedParts, SocObserver } from "../soc/observer.ts";
import { chromeTrace, cutNote } from "./chrome.ts";
import { FunctionTable } from "./functions.ts";
import { HartTracks } from "./hart_tracks.ts";
import { type LayerListener, watchLayers } from "./layers.ts";
import { DmaTrack, JobTrack, LayerTrack } from "./network_tracks.ts";
import { Profile } from "./profile.ts";
import { type ProfileReport, reportOf } from "./profile_report.ts";
import { defaultSpanLimit, Timeline } from "./timeline.ts";
import { type HartListener, HartWatch } from "./watch.ts";

/** What is to be recorded of what. */
export interface TracerOptions {
  readonly target: Target;
  readonly image: Image;
  /** What is run, for the trace's title. */
  readonly program: string;
  /** Names the layers; without it there are none. */
  readonly manifest?: Manifest;
  readonly timeline?: boolean;
  readonly profile?: boolean;
  /** Spans that the timeline holds at most. */
  readonly spanLimit?: number;
}

/**
 * Records one run of one SoC.
 *
 * @example
 * ```ts ignore
 * const tracer = new Tracer({ target, image, program: "p.elf", profile: true });
 * const soc = buildSoc(target, { observer: tracer.observer });
 * soc.load(image);
 * soc.run();
 * tracer.finish();
 * console.log(profileLines(tracer.report()!).join("\n"));
 * ```
 */
export class Tracer {
  /** To be given to the SoC. */
  readonly observer: SocObserver;
  readonly timeline: Timeline | undefined;
  readonly #options: TracerOptions;
  readonly #profile: Profile | undefined;
  readonly #hartTracks: HartTracks | undefined;
  #layerTrack: LayerTrack | undefined;
  #parts: ObservedParts | undefined;
  #finished = false;

  constructor(options: TracerOptions) {
    const { target, image } = options;
    this.#options = options;
    const table = new FunctionTable(image, target);
    const timeline = this.timeline = options.timeline
      ? new Timeline(options.spanLimit ?? defaultSpanLimit)
      : undefined;
    if (timeline) {
      if (options.manifest) this.#layerTrack = new LayerTrack(timeline, options.manifest, target);
      this.#hartTracks = new HartTracks(timeline, table);
      timeline.onFull = () => this.#closeTracks();
    }
    if (options.profile) this.#profile = new Profile(table);
    const listeners: HartListener[] = [];
    if (this.#hartTracks) listeners.push(this.#hartTracks);
    if (this.#profile) listeners.push(this.#profile);
    this.observer = new HartWatch(listeners, this.#devices(), (parts) => this.#attached(parts));
  }

  #devices(): Pick<SocObserver, "transfer" | "job"> {
    const { timeline } = this, { target } = this.#options;
    if (!timeline) return {};
    const accelerator = peripheralOf(target, "accelerator");
    const dma = target.dma && new DmaTrack(timeline, target);
    const jobs = accelerator && new JobTrack(timeline, target, accelerator.name);
    return {
      transfer: (transfer, done) => dma?.add(transfer, done),
      job: (job) => jobs?.add(job),
    };
  }

  #attached(parts: ObservedParts): void {
    this.#parts = parts;
    const { manifest } = this.#options;
    const listeners: LayerListener[] = [];
    if (this.#layerTrack) listeners.push(this.#layerTrack);
    if (this.#profile) listeners.push(this.#profile);
    if (manifest) watchLayers(manifest, parts, listeners);
  }

  #closeTracks(): void {
    const now = this.#parts?.now() ?? 0;
    this.#hartTracks?.finish(now);
    this.#layerTrack?.finish(now);
  }

  /** Ends what is under way: the run is over, whatever has ended it. Does nothing the second time. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#closeTracks();
    this.#profile?.finish(this.#parts?.now() ?? 0);
  }

  /** The trace file, in pieces; undefined if no timeline was asked for. */
  file(note?: string): Iterable<string> | undefined {
    const { target, program } = this.#options;
    const cycles = this.#parts?.now() ?? 0;
    return this.timeline && chromeTrace(this.timeline, { target, program, cycles, note });
  }

  /** What a person must be told of the trace file, if anything. */
  note(): string | undefined {
    return this.timeline && cutNote(this.timeline);
  }

  /** The profile; undefined if none was asked for. */
  report(): ProfileReport | undefined {
    const { image, manifest } = this.#options, parts = this.#parts;
    if (!this.#profile || !parts) return undefined;
    const wordAt = (pc: number) => parts.map.wordAt(pc) ?? 0;
    return reportOf(this.#profile, image, parts.state.count, wordAt, manifest);
  }
}
