// All files of a generated C project: what is generated, and the runtime and kernels as they stand in `targets`.

import { dirname, join } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";
import { targetFolder } from "../../targets/built_in.ts";
import type { Target } from "../../targets/schema.ts";
import type { Model } from "../model/types.ts";
import type { EngineName, Program } from "../schedule/program.ts";
import { type CompilerFamily, makefile } from "./makefile.ts";
import { networkHeader, usesAccelerator } from "./network_header.ts";
import { networkSource } from "./network_source.ts";
import { linkMemories, socHeader } from "./soc_files.ts";
import type { Symbols } from "./symbols.ts";

/** A C project, as files by relative path. */
export interface Project {
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** Its .c and .S files. */
  readonly sources: readonly string[];
}

const targets = new URL("../../targets/", import.meta.url);
const sharedSources = ["main.c", "team.c", "console.c", "builtins.c", "weights.S"];

/**
 * Makes the files of a project. Only kernels that the program calls are among them, with the headers that they
 * include.
 *
 * @param l1Bytes bytes of L1 that the image may use
 * @param family compilers that the Makefile tries first
 */
export async function makeProject(
  program: Program,
  model: Model,
  target: Target,
  symbols: Symbols,
  options: { l1Bytes: number; family: CompilerFamily },
): Promise<Project> {
  const files = new Map<string, string | Uint8Array>();
  const copy = async (name: string, from: URL) => {
    if (!files.has(name)) files.set(name, await Deno.readTextFile(from));
  };
  files.set("network.h", networkHeader(program, symbols));
  files.set("network.c", networkSource(program, model, symbols));
  files.set("weights.bin", program.constants);
  files.set("soc.h", socHeader(target));
  const sections = await Deno.readTextFile(new URL("runtime/sections.ld", targets));
  files.set("link.ld", linkMemories(target, options.l1Bytes) + sections);
  for (const name of ["boot.S", "runtime.c"]) await copy(name, new URL(name, runtimeFolder(target)));
  for (const name of [...sharedSources, "runtime.h"]) await copy(name, new URL(`runtime/${name}`, targets));
  await copy("mailbox.h", new URL("mailbox.h", targets));
  if (target.engines.includes("dma")) await copy("dma.h", new URL("engines/dma/dma.h", targets));
  if (usesAccelerator(program)) {
    for (const name of ["ita.c", "ita.h"]) await copy(name, new URL(`engines/ita/${name}`, targets));
  }
  for (const step of program.layers.flatMap((layer) => layer.steps)) {
    if (step.engine !== "cores") continue;
    const { engine, source } = step.task;
    await addKernel(files, engine, source);
    await addKernel(files, engine, source.replace(/\.c$/, ".h"));
  }
  const sources = [...files.keys()].filter((name) => /\.[cS]$/.test(name)).sort();
  files.set("Makefile", makefile(target, sources, options.family));
  return { files, sources };
}

/** Writes the files of a project into a folder that is there and empty. */
export async function writeProject(folder: string, project: Project): Promise<void> {
  for (const [name, content] of project.files) {
    const path = join(folder, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }
}

/** The folder with the start-up code and the executor of steps for the target's kind of machine. */
function runtimeFolder(target: Target): URL {
  const { barrier, dma, workers } = target.harts;
  if (target.boot === "cluster-rom" && barrier === "csr" && dma) return targetFolder("snitch-ita");
  if (target.boot === "entry" && barrier === "none" && !dma && workers === 1) return targetFolder("virt");
  throw new AttoflowError("there is no runtime for this combination of boot, barrier, workers and DMA hart", {
    where: target.name,
    hint: "A cluster boots from its ROM and has a barrier (csr) and a DMA hart; anything else has one hart.",
  });
}

/** Adds a file of an engine's kernels and what it includes from the same folder, or from that of the cores. */
async function addKernel(files: Map<string, string | Uint8Array>, engine: EngineName, name: string) {
  const path = `kernels/${name}`;
  if (files.has(path)) return;
  const at = (folder: EngineName) => new URL(`engines/${folder}/kernels/${name}`, targets);
  const text = await Deno.readTextFile(at(engine)).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return Deno.readTextFile(at("cores"));
    throw error;
  });
  files.set(path, text);
  for (const [, header] of text.matchAll(/^#include "([^"]+)"/gm)) await addKernel(files, engine, header);
}
