// All commands, in the order in which help lists them. Each is loaded when it is wanted: a short run does not wait for
// the code of the others.

import { type CommandParser, defineGroup } from "./command.ts";

type Loader = () => Promise<CommandParser>;

/**
 * Loads a command of this folder. Deno reads each module whose name stands in an `import`, called for or not, and all
 * that it imports; these names stand elsewhere.
 */
function from(module: string, name: string): Loader {
  return async () => (await import(module) as Readonly<Record<string, CommandParser>>)[name];
}

const conformance: Readonly<Record<string, Loader>> = {
  networks: from("./conformance_networks.ts", "conformanceNetworks"),
  isa: from("./conformance_isa.ts", "conformanceIsa"),
  ita: from("./conformance_ita.ts", "conformanceIta"),
  timing: from("./conformance_timing.ts", "conformanceTiming"),
};

const commands: Readonly<Record<string, Loader>> = {
  demo: from("./demo.ts", "demoCommand"),
  setup: from("./setup.ts", "setupCommand"),
  generate: from("./generate.ts", "generateCommand"),
  analyze: from("./analyze.ts", "analyzeCommand"),
  validate: from("./validate.ts", "validateCommand"),
  emulate: from("./emulate.ts", "emulateCommand"),
  conformance: async () =>
    defineGroup(
      "conformance",
      "Compare with networks, programs and vectors of others.",
      await allOf(conformance),
    ),
  bench: from("./bench.ts", "benchCommand"),
  target: from("./target.ts", "targetCommand"),
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
