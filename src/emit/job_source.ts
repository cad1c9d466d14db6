// The accelerator's jobs as tables in C: what ita.h calls sequences and jobs.

import type { Job, JobStep, Place, Program, SequenceConstants, Step } from "../schedule/program.ts";

/** The tables of a layer, and what its steps say to name their part of them. */
export interface JobTables {
  readonly text: string;
  /** Index of a step's sequence. */
  sequence(step: JobStep): number;
}

/** Makes the tables for the jobs among a layer's steps. */
export function jobTables(steps: readonly Step[], program: Program): JobTables {
  const own = steps.filter((step): step is JobStep => step.engine === "ita");
  const sequences: string[] = [];
  const lines: string[] = [];
  const fields = new Map<JobStep, number>();
  for (const step of own) {
    const sequence = sequenceText(step.jobs[0].sequence);
    if (!sequences.includes(sequence)) sequences.push(sequence);
    fields.set(step, sequences.indexOf(sequence));
    lines.push(...step.jobs.map((job) => jobText(job, program)));
  }
  const text = own.length === 0 ? "" : `    static const struct ita_sequence sequences[] = {
${sequences.join("")}    };
    static const struct job jobs[] = {
${lines.join("")}    };
`;
  return { text, sequence: (step) => fields.get(step)! };
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

/** Bytes of the unit in which the places of a job's operands are given. */
const unit = 8;

function jobText(job: Job, { buffers }: Program): string {
  const placeOf = ({ buffer, offset }: Place): string => {
    const at = buffers.get(buffer)!.offset + offset;
    if (at % unit !== 0 || at / unit >= 0xffff) throw new RangeError(`a job's operand lies at ${at} in L1`);
    return `0x${(at / unit).toString(16)}`;
  };
  const pointers = [
    ["input", job.input],
    ["weights", job.weights],
    ["next_weights", job.nextWeights],
    ["output", job.output],
    ["bias", job.bias],
  ] as const;
  const fields = pointers.map(([name, place]) => `.${name} = ${place ? placeOf(place) : "JOB_NOTHING"}`);
  const flags = [
    ...(job.bias && job.biasByRow ? ["JOB_BIAS_BY_ROW"] : []),
    ...(job.activation ? [`JOB_ACTIVATION(${activations[job.activation]})`] : []),
  ];
  if (flags.length > 0) fields.push(`.flags = ${flags.join(" | ")}`);
  return `        { ${fields.join(", ")} },\n`;
}
