// Finds and checks target descriptions.

import { z } from "zod";
import { AttoflowError } from "./errors.ts";
import { type Memory, type Peripheral, type Target, targetSchema } from "./schema.ts";

/** Targets that come with Attoflow. */
export const builtInTargets = ["snitch-ita", "virt"] as const;

/** Folder that holds a built-in target's `target.json`, `boot.S` and `runtime.c`. */
export function targetFolder(name: string): URL {
  return new URL(`./${name}/`, import.meta.url);
}

/**
 * Reads and checks a target description.
 *
 * @param nameOrPath name of a built-in target, or the path of a JSON file
 * @throws {AttoflowError} if there is no such target, or a field is wrong; names the file and every wrong field
 */
export async function loadTarget(nameOrPath: string): Promise<Target> {
  const builtIn = (builtInTargets as readonly string[]).includes(nameOrPath);
  const path = builtIn ? new URL("target.json", targetFolder(nameOrPath)) : nameOrPath;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new AttoflowError(`no target description can be read: ${(cause as Error).message}`, {
      where: nameOrPath,
      hint: `Built-in targets are ${
        builtInTargets.join(" and ")
      }; anything else is the path of a target file.`,
      cause,
    });
  }
  return parseTarget(text, nameOrPath);
}

/** Checks the text of a target file. `where` names it in errors. Throws {@link AttoflowError}. */
export function parseTarget(text: string, where: string): Target {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AttoflowError(`the target description is not JSON: ${(cause as Error).message}`, {
      where,
      cause,
    });
  }
  const result = targetSchema.safeParse(json);
  if (!result.success) {
    throw new AttoflowError(`the target description is wrong: ${problems(result.error)}`, {
      where,
      hint: "targets/schema.ts lists every field.",
    });
  }
  return result.data;
}

function problems(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "(top)"}: ${issue.message}`).join("; ");
}

/** The target's only memory of a role; throws if there is none. */
export function memoryOf(target: Target, role: Memory["role"]): Memory {
  const found = target.memories.find((memory) => memory.role === role);
  if (!found) throw new AttoflowError(`target ${target.name} has no memory of role ${role}`);
  return found;
}

/** The target's first peripheral of a kind, if it has one. */
export function peripheralOf(target: Target, kind: Peripheral["kind"]): Peripheral | undefined {
  return target.peripherals.find((peripheral) => peripheral.kind === kind);
}

/** Number of all harts, the DMA hart included. */
export function hartCount(target: Target): number {
  return target.harts.workers + (target.harts.dma ? 1 : 0);
}
