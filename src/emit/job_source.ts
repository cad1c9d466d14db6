// The accelerator's jobs as tables in C: what ita.h calls sequences and jobs.

import type { Job, JobStep, SequenceConstants, Step } from "../schedule/program.ts";
import type { Symbols } from "./symbols.ts";

/** The tables of a layer, and what its steps say to name their part of them. */
export interface JobTables {
  readonly text: string;
  /** What the `struct step` says of its jobs. */
  fields(step: JobStep): string;
}

/** Makes the tables for the jobs among a layer's steps. */
export function jobTables(steps: readonly Step[], symbols: Symbols): JobTables {
  const own = steps.filter((step): step is JobStep => step.engine === "ita");
  const sequences: string[] = [];
  const lines: string[] = [];
  const fields = new Map<JobStep, string>();
  for (const step of own) {
    const sequence = sequenceText(step.jobs[0].sequence);
    if (!sequences.includes(sequence)) sequences.push(sequence);
    fields.set(step, `.sequence = &sequences[${sequences.indexOf(sequence)}]`);
    lines.push(...step.jobs.map((job) => jobText(job, symbols)));
  }
  const text = own.length === 0 ? "" : `    static const struct ita_sequence sequences[] = {
${sequences.join("")}    };
    static const struct ita_job jobs[] = {
${lines.join("")}    };
`;
  return { text, fields: (step) => fields.get(step)! };
}

const layerNames: Readonly<Record<SequenceConstants["layer"], string>> = {
  attention: "ITA_LAYER_ATTENTION",
  feedforward: "ITA_LAYER_FEEDFORWARD",
  linear: "ITA_LAYER_LINEAR",
  "single-attention": "ITA_LAYER_SINGLE_ATTENTION",
};

function sequenceText(sequence: SequenceConstants): string {
  const { tiles: { s, e, p, f }, multipliers, shifts, offsets, gelu, activationRequant } = sequence;
  const bytes = (values: readonly number[]) =>
    `{ ITA_BYTES(${values.slice(0, 4).join(", ")}), ITA_BYTES(${values.slice(4, 8).join(", ")}) }`;
  const lines = [
    `.tiles = ITA_TILE_COUNTS(${s}, ${e}, ${p}, ${f})`,
    `.layer = ${layerNames[sequence.layer]}`,
    `.multipliers = ${bytes(multipliers)}`,
    `.shifts = ${bytes(shifts)}`,
    `.offsets = ${bytes(offsets)}`,
    ...(gelu ? [`.gelu = ITA_GELU(${gelu.b}, ${gelu.c})`] : []),
    ...(activationRequant
      ? [
        `.activation_requant = ITA_REQUANT(${activationRequant.multiplier}, ${activationRequant.shift}, ` +
        `${activationRequant.offset})`,
      ]
      : []),
  ];
  return `        {\n${lines.map((line) => `            ${line},\n`).join("")}        },\n`;
}

const activations = { relu: "ITA_ACTIVATION_RELU", gelu: "ITA_ACTIVATION_GELU" } as const;

function jobText(job: Job, symbols: Symbols): string {
  const pointers = [
    ["input", job.input],
    ["weights", job.weights],
    ["next_weights", job.nextWeights],
    ["bias", job.bias],
    ["output", job.output],
  ] as const;
  const fields = pointers.flatMap(([name, place]) => place ? [`.${name} = ${symbols.address(place)}`] : []);
  if (job.bias && job.biasByRow) fields.push(".bias_by_row = 1");
  if (job.activation) fields.push(`.activation = ${activations[job.activation]}`);
  return `        { ${fields.join(", ")} },\n`;
}
