// network.h: the whole API of a generated network.

import { elementCount } from "../model/types.ts";
import { bytesPerElement } from "../model/types.ts";
import type { Program } from "../schedule/program.ts";
import { text } from "./names.ts";
import { elementType, type EndpointSymbol, type Symbols } from "./symbols.ts";

/** Text of network.h. */
export function networkHeader(program: Program, symbols: Symbols): string {
  const { inputs, outputs } = symbols;
  return `/* network.h: how to call the network "${text(program.model)}".
 *
 * Made by Attoflow for the target ${program.target}; do not edit.
 *
 * Every hart calls network_init once. Hart 0 then calls network_run for each inference; all other harts call
 * network_join, which returns when hart 0 calls network_stop. On a SoC with one hart, network_join is not needed.
 * main.c is such a program.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#define NETWORK_LAYERS ${program.layers.length}
#define NETWORK_MACS ${program.macs}ull
#define NETWORK_PARAMETERS ${program.parameters}ull
#define NETWORK_WEIGHTS_BYTES ${program.constants.length}
#define NETWORK_ARENA_BYTES ${program.arenas.l2}
#define NETWORK_L1_BYTES ${program.arenas.l1}
#define NETWORK_TASK_BYTES ${program.taskBytes}
#define NETWORK_JOBS ${jobCount(program)}

#define NETWORK_INPUTS ${inputs.length}
#define NETWORK_OUTPUTS ${outputs.length}
${inputs.map((symbol, i) => endpointText(symbol, "Input", i)).join("")}
${outputs.map((symbol, i) => endpointText(symbol, "Output", i)).join("")}
/* Where network_run takes the inputs from: arrays, or null for those that are in network_input_... already. */
struct network_input {
${fields(inputs, "const ")}};

/* Where network_run puts the outputs: arrays, or null for those that are read from network_output_... */
struct network_output {
${fields(outputs, "")}};

/* Makes this hart ready and waits for all others to be. Call it on every hart, once. */
void network_init(uint32_t hart);

/* One inference. Hart 0 only. Null for the inputs or the outputs is null for each of them. */
void network_run(const struct network_input *input, const struct network_output *output);

/* Takes part in inferences until network_stop. All harts but 0. */
void network_join(uint32_t hart);

/* Lets the other harts return from network_join. Hart 0 only. */
void network_stop(void);

/* Cycles of the last inference. */
uint64_t network_cycles(void);

/* The cycle, counted from the start of the inference, at the end of each layer. */
extern uint32_t network_layer_cycles[NETWORK_LAYERS + 1];

/* The layers, one behind the other, as this hart does them: what network_run and network_join are made of. */
void network_layers(uint32_t hart);

#endif
`;
}

function endpointText({ endpoint, array, macro }: EndpointSymbol, kind: string, index: number): string {
  const elements = elementCount(endpoint.shape);
  return `
/* ${kind} ${index}: "${text(endpoint.name)}", ${endpoint.dtype} [${endpoint.shape.join(", ")}], row major. */
#define ${macro}_ELEMENTS ${elements}
#define ${macro}_BYTES ${elements * bytesPerElement[endpoint.dtype]}
extern ${elementType[endpoint.dtype]} ${array}[${Math.max(1, elements)}];
`;
}

function fields(symbols: readonly EndpointSymbol[], qualifier: string): string {
  if (symbols.length === 0) return "    uint8_t none;\n";
  return symbols.map(({ endpoint, field }) => `    ${qualifier}${elementType[endpoint.dtype]} *${field};\n`)
    .join("");
}

/** Whether the accelerator has anything to do. */
export function usesAccelerator(program: Program): boolean {
  return jobCount(program) > 0;
}

/** Jobs of the accelerator in one inference. */
function jobCount(program: Program): number {
  return program.layers.flatMap((layer) => layer.steps)
    .reduce((sum, step) => sum + (step.engine === "ita" ? step.jobs.length : 0), 0);
}
