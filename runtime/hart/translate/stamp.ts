// Tells one version of the translator from another, so that what one has made is never used by the next.

import { WordHash } from "./region_cache.ts";

/** Folders whose files decide what regions look like. */
const folders = ["./", "../", "../../wasm/"];

/** A stamp of the sources that make regions: names, sizes and times of the files. Undefined if they are no files. */
export function sourceStamp(): string | undefined {
  if (!import.meta.url.startsWith("file:")) return undefined;
  const hash = new WordHash();
  try {
    for (const folder of folders) {
      const url = new URL(folder, import.meta.url);
      for (const name of [...Deno.readDirSync(url)].map((entry) => entry.name).sort()) {
        const { isFile, size, mtime } = Deno.statSync(new URL(name, url));
        if (!isFile || !name.endsWith(".ts")) continue;
        for (let i = 0; i < name.length; i++) hash.add(name.charCodeAt(i));
        const time = mtime?.getTime() ?? 0;
        for (const word of [size, time | 0, Math.floor(time / 2 ** 32)]) hash.add(word);
      }
    }
  } catch {
    return undefined;
  }
  return hash.text;
}
