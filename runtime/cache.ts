// Files that can be made again: a folder of the user's where they are kept between runs. Whatever goes wrong with
// it (no folder, no permission, a damaged or half-written file, another process at work) costs time and nothing else.

/** A store of things that can be made again. */
export interface Cache {
  /** What was kept under a name; undefined if there is nothing, or it is damaged. */
  read(name: string): Uint8Array | undefined;
  /** Keeps bytes under a name: what it is in small letters, and hashes of 16 hexadecimal digits, dashes between. */
  write(name: string, bytes: Uint8Array): void;
}

const magic = 0x65_66_74_61; // "atfe"
const headerBytes = 8;
/** Files beyond this number are removed, those unused for longest first. */
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
      return unseal(Deno.readFileSync(`${this.#folder}/${name}`));
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
      Deno.writeFileSync(own, seal(bytes), { mode: 0o600 });
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

/**
 * Bytes behind what shows whether they are whole: magic, their length, and they themselves a second time. To compare is
 * the machine's work, where a checksum would be the interpreter's: this runs before anything is compiled.
 */
function seal(bytes: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(headerBytes + 2 * bytes.length);
  const view = new DataView(sealed.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, bytes.length, true);
  sealed.set(bytes, headerBytes);
  sealed.set(bytes, headerBytes + bytes.length);
  return sealed;
}

function unseal(sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < headerBytes) return undefined;
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const length = view.getUint32(4, true), behind = headerBytes + length;
  if (view.getUint32(0, true) !== magic || sealed.length !== behind + length) return undefined;
  const bytes = sealed.subarray(headerBytes, behind);
  return bytes.toBase64() === sealed.subarray(behind).toBase64() ? bytes : undefined;
}
