// Files that can be made again: a folder of the user's where they are kept between runs. Whatever goes wrong with
// it (no folder, no permission, a damaged or half-written file, another process at work) costs time and nothing else.

/** A store of things that can be made again. */
export interface Cache {
  /** What was kept under a name; undefined if there is nothing, or it is damaged. */
  read(name: string): Uint8Array | undefined;
  /** Keeps bytes under a name: what it is in small letters, and hashes of 16 hexadecimal digits, dashes between. */
  write(name: string, bytes: Uint8Array): void;
}

/** Files beyond this number are removed, those written longest ago first. */
const mostFiles = 200;
/**
 * Names of what is kept, such as `interpreter-731ca6d055fc228c`, and of what was to become it: a person may name a
 * folder in which there are other files, which stay.
 */
const ownName = /^\.?[a-z]+(-[0-9a-f]{16})+(\.\d+\.\w+)?$/;

/** The user's cache folder for Attoflow: of XDG's base directories, or the system's own; undefined if unknown. */
export function cacheFolder(): string | undefined {
  const variable = (name: string): string | undefined => {
    try {
      return Deno.env.get(name) || undefined;
    } catch {
      return undefined;
    }
  };
  const base = variable("XDG_CACHE_HOME") ?? variable("LOCALAPPDATA");
  if (base) return `${base}/attoflow`;
  const home = variable("HOME");
  return home && `${home}/.cache/attoflow`;
}

/** Files in a folder. */
export class FolderCache implements Cache {
  readonly #folder: string;

  /** @param folder is made when something is written */
  constructor(folder: string) {
    this.#folder = folder;
  }

  read(name: string): Uint8Array | undefined {
    try {
      return unseal(name, Deno.readFileSync(`${this.#folder}/${name}`));
    } catch {
      return undefined;
    }
  }

  write(name: string, bytes: Uint8Array): void {
    // A file comes into being under a name of its own and takes its place in one step: readers and other
    // writers see the old one or the new one.
    const own = `${this.#folder}/.${name}.${Deno.pid}.${Math.floor(Math.random() * 2 ** 32).toString(36)}`;
    try {
      Deno.mkdirSync(this.#folder, { recursive: true });
      Deno.writeFileSync(own, seal(name, bytes), { mode: 0o600 });
      Deno.renameSync(own, `${this.#folder}/${name}`);
      this.#prune();
    } catch {
      try {
        Deno.removeSync(own);
      } catch {
        // It was never made.
      }
    }
  }

  #prune(): void {
    const files = [...Deno.readDirSync(this.#folder)].filter(({ isFile, name }) =>
      isFile && ownName.test(name)
    )
      .map(({ name }) => name);
    if (files.length <= mostFiles) return;
    const age = (name: string) => Deno.statSync(`${this.#folder}/${name}`).mtime?.getTime() ?? 0;
    const byAge = files.map((name) => ({ name, at: age(name) })).sort((a, b) => a.at - b.at);
    for (const { name } of byAge.slice(0, files.length - mostFiles / 2)) {
      Deno.removeSync(`${this.#folder}/${name}`);
    }
  }
}

/** The cache in the user's folder, if one is known. */
export function userCache(): Cache | undefined {
  const folder = cacheFolder();
  return folder === undefined ? undefined : new FolderCache(folder);
}

const magic = "attoflow";
const encoder = new TextEncoder(), decoder = new TextDecoder();

/**
 * Bytes between what shows whether they are whole and what they are: in front their length and their name, behind them
 * they themselves a second time, and an end. To compare is the machine's work, where a checksum would be the
 * interpreter's: this runs before anything is compiled.
 */
function seal(name: string, bytes: Uint8Array): Uint8Array {
  const head = headOf(name, bytes.length), end = encoder.encode(magic);
  const sealed = new Uint8Array(head.length + 2 * bytes.length + end.length);
  sealed.set(head);
  sealed.set(bytes, head.length);
  sealed.set(bytes, head.length + bytes.length);
  sealed.set(end, head.length + 2 * bytes.length);
  return sealed;
}

/** What `seal` was given, if it is whole; it begins at a multiple of 8 bytes. */
function unseal(name: string, sealed: Uint8Array): Uint8Array | undefined {
  const length = (sealed.length - magic.length - headOf(name, 0).length) / 2;
  if (!(length > 0 && Number.isInteger(length))) return undefined;
  const head = headOf(name, length), behind = head.length + length;
  const bytes = sealed.subarray(head.length, behind);
  const isWhole = decoder.decode(sealed.subarray(0, head.length)) === decoder.decode(head) &&
    decoder.decode(sealed.subarray(behind + length)) === magic &&
    bytes.toBase64() === sealed.subarray(behind, behind + length).toBase64();
  return isWhole ? bytes : undefined;
}

function headOf(name: string, length: number): Uint8Array {
  const text = `${magic} ${name} ${String(length).padStart(10)}`;
  return encoder.encode(text.padEnd(Math.ceil(text.length / 8) * 8));
}
