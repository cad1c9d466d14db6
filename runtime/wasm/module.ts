// Builds a WebAssembly module in memory: imports, functions, memory, exports → bytes.
// No text format, no toolchain; used for arithmetic that TypeScript is too slow for.

import { ByteSink } from "./bytes.ts";
import { type FunctionReference, type FunctionType, Local, typeCodes, type ValueType } from "./expression.ts";
import { type BranchHint, type FinishedFunction, FunctionBuilder } from "./function.ts";

/** Type of a function. */
export interface Signature<P extends readonly ValueType[], R extends ValueType | "none"> {
  readonly parameters: P;
  readonly result: R;
}

/** One variable for each type of a list. */
type Locals<P extends readonly ValueType[]> = { [K in keyof P]: Local<P[K]> };

const section = { custom: 0, type: 1, import: 2, function: 3, memory: 5, export: 7, code: 10 } as const;
const external = { function: 0, table: 1, memory: 2 } as const;
const functionReference = 0x70;

/** Encodes text as the format's names. */
const encoder = new TextEncoder();

/**
 * A module under construction.
 *
 * @example
 * ```ts
 * const module = new ModuleBuilder();
 * module.define({ parameters: ["i32"], result: "i32", export: "twice" }, (body, x) => {
 *   body.return(i32.add(x, x));
 * });
 * const { twice } = new WebAssembly.Instance(new WebAssembly.Module(module.build())).exports;
 * ```
 */
export class ModuleBuilder {
  readonly #types: string[] = [];
  readonly #typeBytes: Uint8Array[] = [];
  readonly #imports: Uint8Array[] = [];
  readonly #exports: Uint8Array[] = [];
  readonly #functionTypes: number[] = [];
  readonly #bodies: Uint8Array[] = [];
  /** For each function with hints: its index and they. */
  readonly #hints: [number, readonly BranchHint[]][] = [];
  #importedFunctions = 0;
  #memories = 0;
  #ownMemory: number | undefined;

  /** Gives the module a memory of its own, of `pages` times 64 KiB. Imported memories come before it. */
  memory(pages: number, exportName: string): void {
    if (this.#ownMemory !== undefined) throw new Error("a module has one memory of its own");
    this.#ownMemory = pages;
    this.#export(exportName, external.memory, this.#memories++);
  }

  /**
   * Lets the module use a memory of at least `pages` times 64 KiB that is given to it.
   *
   * @returns its index, which loads and stores take; 0 for the first
   */
  importMemory(module: string, name: string, pages: number): number {
    if (this.#ownMemory !== undefined) throw new Error("memories are imported before one is made");
    const out = importHead(module, name, external.memory);
    out.byte(0);
    out.unsigned(pages);
    this.#imports.push(out.bytes);
    return this.#memories++;
  }

  /** Lets the module call through a table of functions that is given to it. */
  importTable(module: string, name: string): void {
    const out = importHead(module, name, external.table);
    out.raw([functionReference, 0, 0]);
    this.#imports.push(out.bytes);
  }

  /** A type of functions, for calls through a table. */
  type<const P extends readonly ValueType[], R extends ValueType | "none">(
    signature: Signature<P, R>,
  ): FunctionType<P, R> {
    return { typeIndex: this.#typeIndex(signature), ...signature };
  }

  /** Declares a function that is given to the module. All imports come before the first `define`. */
  importFunction<const P extends readonly ValueType[], R extends ValueType | "none">(
    module: string,
    name: string,
    signature: Signature<P, R>,
  ): FunctionReference<P, R> {
    if (this.#bodies.length > 0) throw new Error("functions are imported before the first one is defined");
    const out = importHead(module, name, external.function);
    out.unsigned(this.#typeIndex(signature));
    this.#imports.push(out.bytes);
    return { index: this.#importedFunctions++, parameters: signature.parameters, result: signature.result };
  }

  /** Takes a function's body that was finished for another module with the same imports and types. */
  adopt(
    signature: Signature<readonly ValueType[], ValueType | "none"> & { readonly export: string },
    { body, hints }: FinishedFunction,
  ): void {
    const index = this.#importedFunctions + this.#bodies.length;
    this.#functionTypes.push(this.#typeIndex(signature));
    this.#export(signature.export, external.function, index);
    this.#bodies.push(body);
    if (hints.length > 0) this.#hints.push([index, hints]);
  }

  /**
   * Defines a function.
   *
   * @param signature its type, and the name under which the module exports it, if it does
   * @param write writes the body; gets the parameters as variables
   */
  define<const P extends readonly ValueType[], R extends ValueType | "none">(
    signature: Signature<P, R> & { readonly export?: string },
    write: (body: FunctionBuilder, ...parameters: Locals<P>) => void,
  ): FunctionReference<P, R> {
    const index = this.#importedFunctions + this.#bodies.length;
    this.#functionTypes.push(this.#typeIndex(signature));
    if (signature.export !== undefined) this.#export(signature.export, external.function, index);
    const body = new FunctionBuilder(signature.parameters);
    const parameters = signature.parameters.map((type, i) => new Local(type, i));
    write(body, ...(parameters as Locals<P>));
    // A body that ends with `return` never reaches its end; saying so keeps the validator content.
    if (signature.result !== "none") body.unreachable();
    const finished = body.finish();
    this.#bodies.push(finished.body);
    if (finished.hints.length > 0) this.#hints.push([index, finished.hints]);
    return { index, parameters: signature.parameters, result: signature.result };
  }

  /** The module's bytes. */
  build(): Uint8Array<ArrayBuffer> {
    const out = new ByteSink();
    out.raw([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    const write = (id: number, items: readonly Uint8Array[]) => {
      if (items.length === 0) return;
      const content = new ByteSink();
      content.unsigned(items.length);
      for (const item of items) content.raw(item);
      out.byte(id);
      out.sized(content.bytes);
    };
    const unsigned = (value: number) => {
      const bytes = new ByteSink();
      bytes.unsigned(value);
      return bytes.bytes;
    };
    write(section.type, this.#typeBytes);
    write(section.import, this.#imports);
    write(section.function, this.#functionTypes.map(unsigned));
    if (this.#ownMemory !== undefined) {
      write(section.memory, [new Uint8Array([0, ...unsigned(this.#ownMemory)])]);
    }
    write(section.export, this.#exports);
    if (this.#hints.length > 0) out.raw(this.#hintSection());
    write(
      section.code,
      this.#bodies.map((body) => {
        const bytes = new ByteSink();
        bytes.sized(body);
        return bytes.bytes;
      }),
    );
    return out.bytes.slice();
  }

  /** The custom section of the branch hinting proposal: for each function the offsets of its hinted branches. */
  #hintSection(): Uint8Array {
    const content = new ByteSink();
    content.sized(encoder.encode("metadata.code.branch_hint"));
    content.unsigned(this.#hints.length);
    for (const [functionIndex, hints] of this.#hints) {
      content.unsigned(functionIndex);
      content.unsigned(hints.length);
      for (const { offset, likely } of hints) {
        content.unsigned(offset);
        content.raw([1, likely ? 1 : 0]);
      }
    }
    const out = new ByteSink();
    out.byte(section.custom);
    out.sized(content.bytes);
    return out.bytes;
  }

  #export(name: string, kind: number, index: number): void {
    const out = new ByteSink();
    out.sized(encoder.encode(name));
    out.byte(kind);
    out.unsigned(index);
    this.#exports.push(out.bytes);
  }

  #typeIndex(signature: Signature<readonly ValueType[], ValueType | "none">): number {
    const key = `${signature.parameters.join(" ")} -> ${signature.result}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const results = signature.result === "none" ? [] : [typeCodes[signature.result]];
    const out = new ByteSink();
    out.byte(0x60);
    out.sized(new Uint8Array(signature.parameters.map((type) => typeCodes[type])));
    out.sized(new Uint8Array(results));
    this.#typeBytes.push(out.bytes);
    return this.#types.push(key) - 1;
  }
}

function importHead(module: string, name: string, kind: number): ByteSink {
  const out = new ByteSink();
  out.sized(encoder.encode(module));
  out.sized(encoder.encode(name));
  out.byte(kind);
  return out;
}
