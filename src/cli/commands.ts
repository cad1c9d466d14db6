// All commands, in the order in which help lists them. Each is loaded when it is wanted: a short run does not wait for
// the code of the others.

import { type CommandParser, defineGroup } from "./command.ts";

type Loader = () => Promise<CommandParser>;

const conformance: Readonly<Record<string, Loader>> = {
  networks: async () => (await import("./conformance_networks.ts")).conformanceNetworks,
  isa: async () => (await import("./conformance_isa.ts")).conformanceIsa,
  ita: async () => (await import("./conformance_ita.ts")).conformanceIta,
  timing: async () => (await import("./conformance_timing.ts")).conformanceTiming,
};

const commands: Readonly<Record<string, Loader>> = {
  demo: async () => (await import("./demo.ts")).demoCommand,
  setup: async () => (await import("./setup.ts")).setupCommand,
  generate: async () => (await import("./generate.ts")).generateCommand,
  analyze: async () => (await import("./analyze.ts")).analyzeCommand,
  validate: async () => (await import("./validate.ts")).validateCommand,
  emulate: async () => (await import("./emulate.ts")).emulateCommand,
  conformance: async () =>
    defineGroup(
      "conformance",
      "Compare with networks, programs and vectors of others.",
      await allOf(conformance),
    ),
  bench: async () => (await import("./bench.ts")).benchCommand,
  target: async () => (await import("./target.ts")).targetCommand,
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
