// All commands, in the order in which help lists them. Each is loaded when it is wanted: a short run does not wait for
// the code of the others.

import { later } from "../../runtime/later.ts";
import { type CommandParser, defineGroup } from "./command.ts";

type Loader = () => Promise<CommandParser>;

const load = <M>(module: string) => later<M>(module, import.meta.url);

const conformance: Readonly<Record<string, Loader>> = {
  networks: async () =>
    (await load<typeof import("./conformance_networks.ts")>("./conformance_networks.ts")).conformanceNetworks,
  isa: async () => (await load<typeof import("./conformance_isa.ts")>("./conformance_isa.ts")).conformanceIsa,
  ita: async () => (await load<typeof import("./conformance_ita.ts")>("./conformance_ita.ts")).conformanceIta,
  timing: async () =>
    (await load<typeof import("./conformance_timing.ts")>("./conformance_timing.ts")).conformanceTiming,
};

const commands: Readonly<Record<string, Loader>> = {
  demo: async () => (await load<typeof import("./demo.ts")>("./demo.ts")).demoCommand,
  setup: async () => (await load<typeof import("./setup.ts")>("./setup.ts")).setupCommand,
  generate: async () => (await load<typeof import("./generate.ts")>("./generate.ts")).generateCommand,
  analyze: async () => (await load<typeof import("./analyze.ts")>("./analyze.ts")).analyzeCommand,
  validate: async () => (await load<typeof import("./validate.ts")>("./validate.ts")).validateCommand,
  emulate: async () => (await load<typeof import("./emulate.ts")>("./emulate.ts")).emulateCommand,
  conformance: async () =>
    defineGroup(
      "conformance",
      "Compare with networks, programs and vectors of others.",
      await allOf(conformance),
    ),
  bench: async () => (await load<typeof import("./bench.ts")>("./bench.ts")).benchCommand,
  target: async () => (await load<typeof import("./target.ts")>("./target.ts")).targetCommand,
};

/**
 * The commands that can be meant by some arguments: the one, or the group, that they name; all, where they name none.
 *
 * @param args what is typed behind `deno task`
 */
export async function commandsFor(args: readonly string[]): Promise<readonly CommandParser[]> {
  const [name] = args;
  return Object.hasOwn(commands, name) ? [await commands[name]()] : await allOf(commands);
}

function allOf(loaders: Readonly<Record<string, Loader>>): Promise<CommandParser[]> {
  return Promise.all(Object.values(loaders).map((load) => load()));
}
