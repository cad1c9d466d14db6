// Finds and checks target descriptions.

import type { z } from "zod";
import { builtInTargets, descriptionOf } from "./built_in.ts";
import { AttoflowError } from "./errors.ts";
import { type Target, targetSchema } from "./schema.ts";

export { hartCount, memoryOf, peripheralOf } from "./parts.ts";

/**
 * Reads and checks a target description.
 *
 * @param nameOrPath name of a built-in target, or the path of a JSON file
 * @throws {AttoflowError} if there is no such target, or a field is wrong; names the file and every wrong field
 */
export async function loadTarget(nameOrPath: string): Promise<Target> {
  const path = descriptionOf(nameOrPath);
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
