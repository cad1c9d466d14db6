// Builds a project: every source to an object, several at a time, then the link.

import { AttoflowError } from "../../targets/errors.ts";
import type { Target } from "../../targets/schema.ts";
import { builtinFlags, clangLinkFlags, compileFlags, familyFlags, linkFlags } from "../emit/makefile.ts";
import type { Compiler } from "./compiler.ts";
import { type Answer, run } from "./run.ts";

/**
 * Compiles and links the project in `directory` to `image.elf`; leaves no other file behind.
 *
 * @param sources .c and .S files, relative to the directory
 * @param contents what takes the most room in the image, in words, for the error when it does not fit
 * @throws {AttoflowError} with the compiler's message if something does not compile, or a memory is too small
 */
export async function build(
  directory: string,
  sources: readonly string[],
  target: Target,
  compiler: Compiler,
  contents = "",
): Promise<void> {
  const flags = [...familyFlags[compiler.family], ...compileFlags(target)];
  const objects = sources.map((source) => source.replace(/\.[cS]$/, ".o"));
  // Long ones first, so that no core waits for one that was begun late.
  const sizes = await Promise.all(
    sources.map(async (source) => (await Deno.stat(`${directory}/${source}`)).size),
  );
  const jobs = sources.map((source, i) => ({ source, object: objects[i], size: sizes[i] }))
    .sort((a, b) => b.size - a.size);
  try {
    const next = jobs.values();
    const workers = Array.from({ length: Math.max(1, navigator.hardwareConcurrency) }, async () => {
      for (const { source, object } of next) {
        const extra = source === "builtins.c" ? builtinFlags[compiler.family] : [];
        const args = [...flags, ...extra, "-c", "-o", object, source];
        accept(await run(compiler.command, args, directory), compiler, source);
      }
    });
    await Promise.all(workers);
    const link = [...flags, ...linkFlags, ...(compiler.family === "clang" ? clangLinkFlags : [])];
    const answer = await run(compiler.command, [...link, "-o", "image.elf", ...objects], directory);
    refuseOverflow(answer, contents);
    accept(answer, compiler, "link.ld");
  } finally {
    await Promise.allSettled(objects.map((object) => Deno.remove(`${directory}/${object}`)));
  }
}

function accept(answer: Answer | undefined, compiler: Compiler, file: string) {
  if (answer?.code === 0) return;
  const message = answer?.errors.trim().split("\n").slice(0, 8).join(" / ") ?? "it cannot be started";
  throw new AttoflowError(`${compiler.command} failed: ${message}`, {
    where: file,
    hint:
      "The generated C should compile with any clang from 16 and gcc from 12; if it does not, that is a bug.",
  });
}

/** GNU ld: region `l2' overflowed by 12 bytes. lld: section '.bss' will not fit in region 'l2': overflowed by 12 bytes. */
function refuseOverflow(answer: Answer | undefined, contents: string) {
  const overflow = answer?.errors.matchAll(/region [`'](\w+)'.*?overflowed by (\d+) bytes/g);
  let worst: { region: string; bytes: number } | undefined;
  for (const [, region, bytes] of overflow ?? []) {
    if (!worst || Number(bytes) > worst.bytes) worst = { region, bytes: Number(bytes) };
  }
  if (!worst) return;
  throw new AttoflowError(`the image is ${worst.bytes} bytes too large for ${worst.region}`, {
    where: "link.ld",
    hint: contents && `It holds ${contents}.`,
  });
}
