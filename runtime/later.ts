// Modules that are loaded when they are wanted. What is written in an `import`, Deno reads when it starts, with all
// that it imports in turn, whether it is ever asked for or not; what is only named as text it does not.

/**
 * Loads a module.
 *
 * @param module its path, from the module that asks
 * @param from `import.meta.url` of the module that asks
 */
export async function later<M>(module: string, from: string): Promise<M> {
  return await import(new URL(module, from).href) as M;
}
