// The targets that come with Attoflow, and where a target's description is.

/** Targets that come with Attoflow. */
export const builtInTargets = ["snitch-ita", "virt"] as const;

/** Folder that holds a built-in target's `target.json`, `boot.S` and `runtime.c`. */
export function targetFolder(name: string): URL {
  return new URL(`./${name}/`, import.meta.url);
}

/** Where a target's description is: of a built-in one, by its name, or in the file whose path it is. */
export function descriptionOf(nameOrPath: string): URL | string {
  const isBuiltIn = (builtInTargets as readonly string[]).includes(nameOrPath);
  return isBuiltIn ? new URL("target.json", targetFolder(nameOrPath)) : nameOrPath;
}
