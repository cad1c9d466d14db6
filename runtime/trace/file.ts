// A file that is whole or not there: written under a temporary name beside its own, then renamed.

import { basename, dirname, join } from "node:path";
import { AttoflowError } from "../../targets/errors.ts";

/** The place for one file, taken before the work that it is for. */
export class PendingFile {
  readonly #path: string;
  readonly #temporary: string;
  #file: Deno.FsFile | undefined;

  /** @throws {AttoflowError} if no file can be made there */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}.tmp`);
    this.#attempt(() => {
      if (isFolder(path)) throw new Deno.errors.IsADirectory("this is a folder");
      this.#file = Deno.openSync(this.#temporary, { write: true, createNew: true });
    });
  }

  /**
   * Writes the file and gives it its name. Nobody can come in between: the work is done in one go.
   *
   * @throws {AttoflowError} if it cannot be written; then nothing is left of it
   */
  commit(pieces: Iterable<string>): void {
    const file = this.#file;
    if (!file) return;
    this.#attempt(() => {
      const encoder = new TextEncoder();
      for (const piece of pieces) {
        const bytes = encoder.encode(piece);
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      }
      Deno.renameSync(this.#temporary, this.#path);
      file.close();
      this.#file = undefined;
    });
  }

  /** Leaves nothing behind, unless the file has been written. */
  discard(): void {
    if (!this.#file) return;
    this.#file.close();
    this.#file = undefined;
    Deno.removeSync(this.#temporary);
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.discard();
      throw new AttoflowError(`it cannot be written: ${(cause as Error).message}`, {
        where: this.#path,
        hint: "Give the path of a file in a folder that you may write to.",
        cause,
      });
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
