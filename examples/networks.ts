// The three networks of the benchmark: what bench, tests and scripts build.

import { buildMobileBert } from "./mobilebert/mobilebert.ts";
import type { NetworkExample, NetworkOptions } from "./network_example.ts";

/** The networks by the names that bench prints; without options they have their true size. */
export const networks: readonly {
  readonly name: "mobilebert" | "dinov2-small" | "whisper-tiny-encoder";
  readonly build: (options?: NetworkOptions) => NetworkExample;
}[] = [
  { name: "mobilebert", build: buildMobileBert },
];
