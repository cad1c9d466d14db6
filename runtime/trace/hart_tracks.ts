// The harts' tracks of a timeline: functions, one in another as they call each other, and waits in them.

import { decode, operandsOfWord } from "../hart/encoding.ts";
import { waitingForInterrupt } from "../hart/state.ts";
import { hartName } from "../host/names.ts";
import type { ObservedParts } from "../soc/observer.ts";
import type { FunctionTable } from "./functions.ts";
import type { Timeline } from "./timeline.ts";
import type { HartListener } from "./watch.ts";

/** Functions that are shown one in another at most. */
const depthLimit = 48;
/** ra and t0: registers that hold return addresses. */
const linkRegisters = [1, 5];

/** How a hart has come into another function. */
type Way = "call" | "return" | "other";

interface HartTrack {
  readonly track: number;
  /** Functions that the hart is in, the innermost last, and since when. */
  readonly functions: number[];
  readonly since: number[];
  /** Address of the last instruction. */
  last: number;
  /** Since when the hart waits, or -1, and the name of that. */
  waiting: number;
  wait: number;
}

/** Draws the harts' tracks. */
export class HartTracks implements HartListener {
  readonly #timeline: Timeline;
  readonly #table: FunctionTable;
  readonly #harts: HartTrack[] = [];
  readonly #names: number[] = [];
  #parts!: ObservedParts;

  constructor(timeline: Timeline, table: FunctionTable) {
    this.#timeline = timeline;
    this.#table = table;
  }

  begin(parts: ObservedParts): void {
    this.#parts = parts;
    for (let hart = 0; hart < parts.state.count; hart++) {
      this.#harts.push({
        track: this.#timeline.addTrack(hartName(hart, parts.target.harts.workers)),
        functions: [],
        since: [],
        last: 0,
        waiting: -1,
        wait: 0,
      });
    }
  }

  issued(hart: number, pc: number, cycle: number): void {
    const track = this.#harts[hart], { functions } = track;
    const place = this.#table.at(pc);
    if (place !== functions[functions.length - 1]) {
      this.#enter(track, place, cycle, this.#wayFrom(track.last));
    }
    track.last = pc;
  }

  trapped(hart: number, pc: number, _cycle: number): void {
    this.#harts[hart].last = pc;
  }

  waits(hart: number, cycle: number): void {
    const isWfi = this.#parts.state.activity[hart] === waitingForInterrupt;
    this.#harts[hart].waiting = cycle;
    this.#harts[hart].wait = this.#timeline.nameNumber(isWfi ? "wfi" : "barrier");
  }

  resumes(hart: number, cycle: number): void {
    const track = this.#harts[hart];
    if (track.waiting >= 0 && cycle > track.waiting) {
      this.#timeline.add(track.track, track.wait, track.waiting, cycle);
    }
    track.waiting = -1;
  }

  /** Ends what is under way: the run is over. */
  finish(cycle: number): void {
    for (const [hart, track] of this.#harts.entries()) {
      this.resumes(hart, cycle);
      while (track.functions.length > 0) this.#leave(track, cycle);
    }
  }

  #wayFrom(last: number): Way {
    const word = this.#parts.map.wordAt(last) ?? 0;
    const instruction = decode(word);
    if (instruction?.meaning.kind !== "jump") return instruction?.name === "mret" ? "return" : "other";
    const { rd, rs1 } = operandsOfWord(word, instruction.format);
    if (linkRegisters.includes(rd)) return "call";
    return instruction.format !== "J" && linkRegisters.includes(rs1) ? "return" : "other";
  }

  #enter(track: HartTrack, place: number, cycle: number, way: Way): void {
    const { functions } = track;
    if (way === "return") {
      const home = functions.lastIndexOf(place);
      if (home >= 0) {
        while (functions.length > home + 1) this.#leave(track, cycle);
        return;
      }
    }
    if (way !== "call" || functions.length >= depthLimit) this.#leave(track, cycle);
    functions.push(place);
    track.since.push(cycle);
  }

  /** Ends the innermost function. */
  #leave(track: HartTrack, cycle: number): void {
    const place = track.functions.pop(), since = track.since.pop();
    if (place === undefined || since === undefined) return;
    this.#names[place] ??= this.#timeline.nameNumber(this.#table.places[place].name);
    if (cycle > since) this.#timeline.add(track.track, this.#names[place], since, cycle);
  }
}
