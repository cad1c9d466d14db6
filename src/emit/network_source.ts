// network.c: memory, one function a layer, and the calls.

import { elementCount, type Model } from "../model/types.ts";
import type { Program } from "../schedule/program.ts";
import { layerCall, layerFunction, nothingIssued } from "./layer_source.ts";
import { text } from "./names.ts";
import { usesAccelerator } from "./network_header.ts";
import { elementType, type EndpointSymbol, type Symbols } from "./symbols.ts";

/** Text of network.c. */
export function networkSource(program: Program, model: Model, symbols: Symbols): string {
  const tasks = program.layers.flatMap((layer) =>
    layer.steps.flatMap((step) => step.engine === "cores" ? [step.task] : [])
  );
  const headers = [...new Set(tasks.map((task) => task.source.replace(/\.c$/, ".h")))].sort();
  const { inputs, outputs } = symbols;
  const issued = nothingIssued(program);
  const { kernels } = issued;
  return `/* network.c: the network "${text(program.model)}", one function a layer.
 *
 * Made by Attoflow for the target ${program.target}; do not edit.
 */
${
    ["network.h", "runtime.h", ...(usesAccelerator(program) ? ["ita.h"] : []), ...headers].map((header) =>
      `#include "${header}"\n`
    ).join("")
  }
/* ---- Memory ------------------------------------------------------------------------------------------ */

/* Constants, from weights.bin. */
extern const uint8_t network_weights[];

/* Activations. manifest.json says which tensor lies where, and when. */
uint8_t network_arena[${Math.max(1, program.arenas.l2)}] IN_ARENA;

/* Operands and results of the layer that is being done. */
uint8_t network_l1[${Math.max(1, program.arenas.l1)}] IN_L1;

/* Args of tasks. */
uint8_t network_task_args[TASK_SLOTS * NETWORK_TASK_BYTES] IN_L1;

${[...inputs, ...outputs].map(arrayDefinition).join("")}
/* Address of a byte of an array. */
#define AT(array, offset) ((void *)((uint8_t *)(array) + (offset)))

/* ---- Kernels, as the workers call them ------------------------------------------------------------------ */

${kernels.map(kernelWrapper).join("\n")}
kernel_function *const network_kernels[] = { ${
    [...kernels.map((kernel) => `run_${kernel}`), "0"].join(", ")
  } };

/* ---- Layers ------------------------------------------------------------------------------------------ */

${program.layers.map((layer) => layerFunction(layer, program, model, symbols, issued)).join("\n")}
/* ---- The network ------------------------------------------------------------------------------------- */

void network_layers(uint32_t hart)
{
${program.layers.map((layer) => layerCall(layer, symbols)).join("")}    layers_done(hart);
}

void network_run(const struct network_input *input, const struct network_output *output)
{
${inputs.map((symbol) => copyLine("input", symbol)).join("") || "    (void)input;\n"}
    team_start();
    network_layers(0);
    team_finish();

${outputs.map((symbol) => copyLine("output", symbol)).join("") || "    (void)output;\n"}}
`;
}

function arrayDefinition({ endpoint, array }: EndpointSymbol): string {
  return `${elementType[endpoint.dtype]} ${array}[${Math.max(1, elementCount(endpoint.shape))}] IN_ARENA;\n`;
}

function kernelWrapper(kernel: string): string {
  return `_Static_assert(sizeof(struct ${kernel}_args) <= NETWORK_TASK_BYTES, "the task fits its slot");

static void run_${kernel}(const void *args, uint32_t core, uint32_t cores)
{
    ${kernel}((const struct ${kernel}_args *)args, core, cores);
}
`;
}

function copyLine(kind: "input" | "output", { field, array, macro }: EndpointSymbol): string {
  const [to, from] = kind === "input" ? [array, `input->${field}`] : [`output->${field}`, array];
  return `    if (${kind} && ${kind}->${field})\n        memcpy(${to}, ${from}, ${macro}_BYTES);\n`;
}
