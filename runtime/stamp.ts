// Tells one version of the sources from another, so that what one has made is never used by the next.

/** A hash of words, 64 bits of it: two of FNV-1a's form with different factors, high bits mixed into low ones. */
export class WordHash {
  #a = 0x811c_9dc5;
  #b = 0x1234_5679;

  add(words: Int32Array): void {
    // This runs before anything is compiled.
    let a = this.#a, b = this.#b;
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      a = Math.imul(a ^ word, 0x0100_0193);
      a ^= a >>> 15;
      b = Math.imul(b ^ (word >>> 16 | word << 16), 0x85eb_ca6b);
      b ^= b >>> 13;
    }
    this.#a = a;
    this.#b = b;
  }

  addText(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const words = new Int32Array((bytes.length >>> 2) + 1);
    new Uint8Array(words.buffer).set(bytes);
    this.add(Int32Array.of(bytes.length));
    this.add(words);
  }

  get text(): string {
    return [this.#a, this.#b].map((each) => (each >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/**
 * A stamp of all sources in some folders: where they are, names, sizes and times of the files. Undefined if they are no
 * files. A file that is put in another's place has another time of change, whatever time it says it was written.
 *
 * @param folders relative to this file, with a slash at the end
 */
export function sourceStamp(folders: readonly string[]): string | undefined {
  if (!import.meta.url.startsWith("file:")) return undefined;
  const files: string[] = [import.meta.url];
  try {
    for (const folder of folders) {
      const url = new URL(folder, import.meta.url);
      for (const { name } of Deno.readDirSync(url)) {
        if (!name.endsWith(".ts")) continue;
        const { size, mtime, ctime } = Deno.statSync(new URL(name, url));
        files.push(`${folder}${name} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`);
      }
    }
  } catch {
    return undefined;
  }
  const hash = new WordHash();
  hash.addText(files.sort().join("\n"));
  return hash.text;
}
