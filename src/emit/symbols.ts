// What the parts of a program are called in C: one place that decides, for network.h, network.c and the manifest.

import type { DType } from "../model/types.ts";
import type { Buffer, Endpoint, Place, Program } from "../schedule/program.ts";
import { identifier, identifiers } from "./names.ts";

/** C type of an element. */
export const elementType: Readonly<Record<DType, string>> = {
  int8: "int8_t",
  uint8: "uint8_t",
  int32: "int32_t",
  float32: "float",
};

/** An input or output as C sees it. */
export interface EndpointSymbol {
  readonly endpoint: Endpoint;
  /** Field of struct network_input or network_output. */
  readonly field: string;
  /** The array. */
  readonly array: string;
  /** Prefix of the macros about it. */
  readonly macro: string;
}

/** Symbols of the linked image that hold the parts of the memory plan. */
export const arenaSymbols = {
  constants: "network_weights",
  l1: "network_l1",
  l2: "network_arena",
  mailbox: "attoflow_mailbox",
} as const;

/** Names for everything in a program. */
export class Symbols {
  readonly inputs: readonly EndpointSymbol[];
  readonly outputs: readonly EndpointSymbol[];
  readonly #program: Program;
  readonly #arrays = new Map<string, string>();

  constructor(program: Program) {
    this.#program = program;
    this.inputs = endpointSymbols(program.inputs, "input");
    this.outputs = endpointSymbols(program.outputs, "output");
    for (const { endpoint, array } of [...this.inputs, ...this.outputs]) {
      this.#arrays.set(endpoint.place.buffer, array);
    }
  }

  /** Function of a layer. */
  layerFunction(index: number): string {
    const { operator, node } = this.#program.layers[index];
    return `layer_${index}_${identifier(`${operator} ${node}`)}`;
  }

  /** A C expression for the address of a place. */
  address({ buffer: name, offset }: Place): string {
    const buffer = this.#program.buffers.get(name)!;
    const [symbol, start] = this.#base(buffer);
    return `AT(${symbol}, 0x${(start + offset).toString(16)})`;
  }

  /** Symbol of the linked image and the buffer's distance from it. */
  located(buffer: Buffer): { symbol: string; offset: number } {
    const [symbol, offset] = this.#base(buffer);
    return { symbol, offset };
  }

  #base(buffer: Buffer): [string, number] {
    switch (buffer.kind) {
      case "input":
      case "output":
        return [this.#arrays.get(buffer.name)!, 0];
      case "constant":
        return [arenaSymbols.constants, buffer.offset];
      default:
        return [arenaSymbols[buffer.memory], buffer.offset];
    }
  }
}

function endpointSymbols(endpoints: readonly Endpoint[], kind: "input" | "output"): EndpointSymbol[] {
  const fields = identifiers(endpoints.map((endpoint) => endpoint.name));
  return endpoints.map((endpoint, i) => ({
    endpoint,
    field: fields[i],
    array: `network_${kind}_${fields[i]}`,
    macro: `NETWORK_${kind.toUpperCase()}_${fields[i].toUpperCase()}`,
  }));
}
