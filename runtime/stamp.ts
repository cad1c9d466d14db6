// Tells one version of the sources from another, so that what one has made is never used by the next.

/** A hash of words, 64 bits of it: two of FNV-1a's form with different factors. */
export class WordHash {
  #a = 0x811c_9dc5;
  #b = 0x1234_5679;

  add(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 0x0100_0193);
    this.#b = Math.imul(this.#b ^ (word >>> 16 | word << 16), 0x85eb_ca6b);
    this.#b ^= this.#b >>> 13;
  }

  addText(text: string): void {
    for (let i = 0; i < text.length; i++) this.add(text.charCodeAt(i));
  }

  get text(): string {
    return [this.#a, this.#b].map((each) => (each >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/**
 * A stamp of all sources in some folders: names, sizes and times of the files. Undefined if they are no files.
 *
 * @param folders relative to this file, with a slash at the end
 */
export function sourceStamp(folders: readonly string[]): string | undefined {
  if (!import.meta.url.startsWith("file:")) return undefined;
  const hash = new WordHash();
  try {
    for (const folder of folders) {
      const url = new URL(folder, import.meta.url);
      for (const name of [...Deno.readDirSync(url)].map((entry) => entry.name).sort()) {
        if (!name.endsWith(".ts")) continue;
        const { size, mtime } = Deno.statSync(new URL(name, url));
        const time = mtime?.getTime() ?? 0;
        hash.addText(name);
        for (const word of [size, time | 0, Math.floor(time / 2 ** 32)]) hash.add(word);
      }
    }
  } catch {
    return undefined;
  }
  return hash.text;
}
