// The three networks of the benchmark: what bench, tests and scripts build.

import { buildDinoV2 } from "./dinov2-small/dinov2.ts";
import { buildMobileBert } from "./mobilebert/mobilebert.ts";
import type { NetworkExample, NetworkOptions } from "./network_example.ts";
import { buildWhisperEncoder } from "./whisper-tiny-encoder/whisper.ts";

/** The networks by the names that bench prints; without options they have their true size. */
export const networks = [
  { name: "mobilebert", build: buildMobileBert },
  { name: "dinov2-small", build: buildDinoV2 },
  { name: "whisper-tiny-encoder", build: buildWhisperEncoder },
] as const satisfies readonly {
  readonly name: string;
  readonly build: (options?: NetworkOptions) => NetworkExample;
}[];

/** What they are called. */
export type NetworkName = (typeof networks)[number]["name"];
