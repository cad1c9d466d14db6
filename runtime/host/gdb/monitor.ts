// What `monitor …` answers in GDB: the clock, the harts, the devices, the network.

import { mailboxFields, mailboxStatus } from "../../../targets/mailbox.ts";
import type { Manifest } from "../../../targets/manifest.ts";
import type { ObservedParts } from "../../soc/observer.ts";
import type { Soc } from "../../soc/soc.ts";
import { displayName } from "../names.ts";

/** What commands act on. */
export interface MonitorContext {
  readonly soc: Soc;
  readonly parts: ObservedParts;
  readonly manifest?: Manifest;
  /** A line for each hart. */
  readonly activities: readonly string[];
  /** Whether traps are shown before they are taken; sets that. */
  catching(on?: boolean): boolean;
  /** Builds the machine anew. */
  reset(): Promise<void>;
}

type Command = (context: MonitorContext, argument: string) => string[] | Promise<string[]>;

const commands: Record<string, { readonly help: string; readonly run: Command }> = {
  help: { help: "this list", run: () => helpLines() },
  cycles: { help: "cycles and time since reset", run: cycleLines },
  harts: { help: "what each hart is doing and has done", run: hartLines },
  dma: { help: "the DMA engine: transfers under way, counters", run: dmaLines },
  ita: { help: "the accelerator: its job and its queue", run: acceleratorLines },
  layer: { help: "the inference and the layer that a generated image works on", run: layerLines },
  catch: {
    help: "catch on|off: whether traps stop the machine before the program's handler gets them",
    run: (context, argument) => {
      const on = argument === "on" ? true : argument === "off" ? false : undefined;
      return [`traps ${context.catching(on) ? "stop the machine" : "go to the program's handler"}`];
    },
  },
  reset: {
    help: "load the image again and start from reset; breakpoints stay",
    run: async ({ reset }) => {
      await reset();
      return ["reset; type `maintenance flush register-cache` to see the new registers"];
    },
  },
};

/** Answers a command with lines of text. Never fails: what is not known is answered with what is. */
export async function monitor(line: string, context: MonitorContext): Promise<string> {
  const [name = "", argument = ""] = line.trim().split(/\s+/);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    return [`there is no monitor command ${JSON.stringify(name.slice(0, 40))}`, ...helpLines()].join("\n");
  }
  return (await command.run(context, argument)).join("\n");
}

function helpLines(): string[] {
  return Object.entries(commands).map(([name, { help }]) => `monitor ${name.padEnd(7)} ${help}`);
}

function cycleLines({ parts: { target, now } }: MonitorContext): string[] {
  const { hertz } = target.clock;
  return [`cycle ${now()}, ${(now() * 1e6 / hertz).toFixed(3)} µs at ${hertz / 1e6} MHz`];
}

function hartLines({ soc, activities }: MonitorContext): string[] {
  return soc.statistics().map(({ hart, cycles, instructions, stalls }) => {
    const waits = Object.entries(stalls).filter(([, count]) => count > 0)
      .sort(([, a], [, b]) => b - a).slice(0, 3).map(([cause, count]) => `${cause} ${count}`);
    const stalled = waits.length > 0 ? `; stalled for ${waits.join(", ")}` : "";
    return `${activities[hart]}; ${instructions} instructions in ${cycles} cycles${stalled}`;
  });
}

function dmaLines({ parts: { dma, now } }: MonitorContext): string[] {
  if (!dma) return ["the target has no DMA engine"];
  const { counts, transfers } = dma;
  return [
    `${counts.transfers} transfers done, ${transfers.length} under way; ` +
    `beats read ${counts.reads}, written ${counts.writes}; busy for ${counts.busy} cycles`,
    ...transfers.map(({ id, rows, bytes, source, destination, issued }) =>
      `transfer ${id}: ${rows} × ${bytes} bytes from 0x${source.toString(16)} to 0x${
        destination.toString(16)
      }, ` +
      `for ${now() - issued} cycles`
    ),
  ];
}

function acceleratorLines({ parts: { accelerator, now } }: MonitorContext): string[] {
  return accelerator?.describe?.(now()) ?? ["the target has no accelerator"];
}

function layerLines({ soc, manifest }: MonitorContext): string[] {
  const address = manifest?.symbols.attoflow_mailbox;
  if (!manifest || address === undefined) {
    return ["this is no generated image: give `emulate` the folder that `generate` has written"];
  }
  const word = (field: keyof typeof mailboxFields) => soc.readUint32(address + mailboxFields[field]);
  const status = Object.entries(mailboxStatus).find(([, value]) => value === word("status"))?.[0] ??
    "unknown";
  const layer = manifest.layers[word("layer")];
  const done = `${word("sequence")} inferences done, status ${status}`;
  if (status !== "running" && status !== "paused") return [done];
  return [
    done,
    layer
      ? `layer ${layer.index} of ${manifest.layers.length}: ${layer.operator} ${
        displayName(layer.node)
      } on ${layer.engine}`
      : `all ${manifest.layers.length} layers done`,
  ];
}
