// Conformance of the ITA device with vectors recorded from the accelerator's RTL: register programs, memory before
// and after, every read, every job's cycles. The format is described by the README beside the vectors.

import { createHash } from "node:crypto";
import { z } from "zod";
import {
  Ita,
  type ItaOptions,
  type ItaParameters,
  type JobRecord,
} from "../../targets/engines/ita/device.ts";
import { registers } from "../../targets/engines/ita/registers.ts";
import { AttoflowError } from "../../targets/errors.ts";

const natural = z.number().int().min(0);
const piece = z.object({ addr: natural, len: natural, off: natural });

const operation = z.union([
  z.tuple([z.literal("W"), natural, natural]),
  z.tuple([z.literal("W"), natural, natural, natural]),
  z.tuple([z.literal("R"), natural, natural]),
  z.tuple([z.literal("A")]),
  z.tuple([z.literal("E"), natural]),
  z.tuple([z.literal("N"), natural]),
  z.tuple([z.literal("ID"), natural]),
]);
type Operation = z.output<typeof operation>;

const caseSchema = z.object({
  name: z.string(),
  tcdm: z.object({ base: natural, size: natural.max(2 ** 26) }),
  window: natural,
  init: z.array(piece),
  ops: z.array(operation),
  expect: z.array(piece.extend({ name: z.string() })),
  final_sha256: z.string().optional(),
  jobs: z.array(z.tuple([z.number(), z.number(), z.number()])),
  cycles: natural,
  acquire: z.array(natural),
  hang: z.boolean(),
  optional: z.boolean().default(false),
  stall_period: z.tuple([natural.min(1), natural]).optional(),
  limit: natural.default(200_000),
});

/** One recorded case: a register program and what the RTL made of it. */
export type ItaVector = z.output<typeof caseSchema>;

/** The silicon that the vectors were recorded from. */
export const recordedHardware: ItaParameters = {
  lanes: 16,
  elements: 64,
  contexts: 4,
  softmaxShift: 0,
  softmaxFullScale: 255,
};

/** How the device is to be built. */
export type VectorOptions = Pick<ItaOptions, "silent" | "plain">;

/** What became of one case. */
export interface ItaVectorResult {
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed, or what is worth saying of a pass; may be empty. */
  readonly detail: string;
}

/** Where time stands during stalls, as a share: jobs within 3 %, whole programs within 1 % (README of the vectors). */
const jobTolerance = 0.03;
const programTolerance = 0.01;

/** Error that the device reports: a driver bug, in the words of ita.md. */
class DriverError extends Error {}

/** A wait that did not end within the case's limit. */
class Hang extends Error {}

/**
 * Runs every case of a folder.
 *
 * @param folder holds `NAME.json` and `NAME.bin` for each case
 * @returns the results in the order of the names, as they come
 * @throws {AttoflowError} if the folder holds no cases or a file cannot be read
 */
export async function* runItaVectors(
  folder: string,
  options: VectorOptions = {},
): AsyncGenerator<ItaVectorResult> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isFile && entry.name.endsWith(".json")) names.push(entry.name.slice(0, -5));
    }
  } catch (cause) {
    throw new AttoflowError(`the folder cannot be read: ${(cause as Error).message}`, {
      where: folder,
      cause,
    });
  }
  if (names.length === 0) {
    throw new AttoflowError("no ITA vectors are here", {
      where: folder,
      hint: "A case is a pair of files NAME.json and NAME.bin.",
    });
  }
  for (const name of names.sort()) {
    const { vector, data } = await readItaVector(folder, name);
    yield runItaVector(vector, data, options);
  }
}

/** One line for a result: `ok NAME` or `FAILED NAME: why`. */
export function itaResultLine({ name, passed, detail }: ItaVectorResult): string {
  return `${passed ? "ok" : "FAILED"} ${name}${detail ? `: ${detail}` : ""}`;
}

/** Reads and checks the two files of a case. Throws {@link AttoflowError} naming the file and the field. */
export async function readItaVector(
  folder: string,
  name: string,
): Promise<{ vector: ItaVector; data: Uint8Array }> {
  const where = `${folder}/${name}`;
  let text: string, data: Uint8Array;
  try {
    text = await Deno.readTextFile(`${where}.json`);
    data = await Deno.readFile(`${where}.bin`);
  } catch (cause) {
    throw new AttoflowError(`a file of the case cannot be read: ${(cause as Error).message}`, {
      where,
      cause,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AttoflowError(`not JSON: ${(cause as Error).message}`, { where: `${where}.json`, cause });
  }
  const parsed = caseSchema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join(".") || "(top)"}: ${issue.message}`);
    throw new AttoflowError(`the case is malformed: ${issues.slice(0, 3).join("; ")}`, {
      where: `${where}.json`,
    });
  }
  const vector = parsed.data;
  const { base, size } = vector.tcdm;
  for (const { addr, len, off } of [...vector.init, ...vector.expect]) {
    if (off + len > data.length || addr < base || addr + len > base + size) {
      throw new AttoflowError(
        `${len} bytes at offset ${off} for address ${addr} exceed the file or the memory`,
        {
          where: `${where}.bin`,
        },
      );
    }
  }
  if (vector.window > size) {
    throw new AttoflowError("the window exceeds the memory", { where: `${where}.json` });
  }
  return { vector, data };
}

/** Runs one case on a device fresh from reset, with a flat memory. */
export function runItaVector(
  vector: ItaVector,
  data: Uint8Array,
  options: VectorOptions = {},
): ItaVectorResult {
  const replay = new Replay(vector, data, options);
  const verdict = (faults: string[], remark = ""): ItaVectorResult => ({
    name: vector.name,
    passed: faults.length === 0,
    detail: faults.length === 0 ? remark : faults.join("; "),
  });
  try {
    for (const operation of vector.ops) replay.perform(operation);
  } catch (error) {
    if (error instanceof DriverError) {
      return verdict(vector.hang || vector.optional ? [] : [error.message], `reported: ${error.message}`);
    }
    if (error instanceof Hang) {
      return verdict(vector.hang ? [] : [error.message], "hangs, as the hardware does");
    }
    throw error;
  }
  if (vector.hang) return verdict(["the hardware hangs here, the device does not"]);
  const faults = replay.faults();
  if (vector.optional && faults.length > 0) {
    return verdict([], `unspecified, and other than the RTL: ${faults[0]}`);
  }
  return verdict(faults);
}

/** A device, a memory and a clock, driven by a case's operations. */
class Replay {
  readonly #vector: ItaVector;
  readonly #data: Uint8Array;
  readonly #memory: Uint8Array;
  readonly #device: Ita;
  readonly #events: number[] = [];
  readonly #eventCycles: number[] = [];
  readonly #acquired: number[] = [];
  readonly #records: JobRecord[] = [];
  readonly #faults: string[] = [];
  #cycle = 0;
  #ticked = -1;
  #id = 1;

  constructor(vector: ItaVector, data: Uint8Array, options: VectorOptions) {
    this.#vector = vector;
    this.#data = data;
    this.#memory = new Uint8Array(vector.tcdm.size);
    for (const { addr, len, off } of vector.init) {
      this.#memory.set(data.subarray(off, off + len), addr - vector.tcdm.base);
    }
    const [period, refused] = vector.stall_period ?? [1, 0];
    this.#device = new Ita(
      {
        port: {
          base: vector.tcdm.base,
          bytes: this.#memory,
          request: (_address, _bytes, _write, cycle) => cycle % period >= refused,
        },
        raise: (hart) => {
          // Two event lines a core; line 0 is the done event.
          this.#events.push(1 << (2 * hart));
          this.#eventCycles.push(this.#ticked);
        },
        fail: (message) => {
          throw new DriverError(message);
        },
      },
      recordedHardware,
      { ...options, observe: (job) => this.#records.push(job) },
    );
  }

  /** Does one operation; the device sees every cycle until the next one. */
  perform(operation: Operation): void {
    switch (operation[0]) {
      case "W": {
        const [, offset, value, enables = 15] = operation;
        let mask = 0;
        for (let lane = 0; lane < 4; lane++) if (enables & (1 << lane)) mask |= 0xff << (8 * lane);
        this.#tick(this.#cycle);
        this.#device.writeUint32(offset, value, mask, this.#cycle, this.#hart());
        this.#cycle += 1;
        break;
      }
      case "R": {
        const [, offset, expected] = operation;
        const value = this.#read(offset);
        if (value !== expected >>> 0) {
          this.#fault(
            `read of 0x${offset.toString(16).padStart(2, "0")} in cycle ${
              this.#cycle - 2
            } gave ${value}, not ${expected}`,
          );
        }
        break;
      }
      case "A":
        for (const start = this.#cycle;;) {
          const id = this.#read(registers.ACQUIRE) | 0;
          if (id >= 0) {
            this.#acquired.push(id);
            return;
          }
          this.#limit(start, "a job slot");
        }
      case "E": {
        const [, count] = operation;
        for (const start = this.#cycle; this.#eventCycles.length < count;) {
          this.#limit(start, `event ${count}`);
          this.#tick(this.#cycle++);
        }
        if (count > 0) this.#cycle = Math.max(this.#cycle, this.#eventCycles[count - 1] + 1);
        break;
      }
      case "N":
        this.#cycle += operation[1];
        break;
      case "ID":
        this.#id = operation[1];
        break;
    }
  }

  /** What differs from the recording, behind the last operation. */
  faults(): string[] {
    const { tcdm, expect, final_sha256, window, acquire, cycles, stall_period } = this.#vector;
    for (const { name, addr, len, off } of expect) {
      const is = this.#memory.subarray(addr - tcdm.base, addr - tcdm.base + len);
      const at = is.findIndex((byte, i) => byte !== this.#data[off + i]);
      if (at >= 0) this.#fault(`${name} differs first at byte ${at}: ${is[at]}, not ${this.#data[off + at]}`);
    }
    if (final_sha256 !== undefined) {
      const hash = createHash("sha256").update(this.#memory.subarray(0, window)).digest("hex");
      if (hash !== final_sha256) this.#fault("the memory's hash differs");
    }
    if (`${this.#acquired}` !== `${acquire}`) this.#fault(`acquired ids ${this.#acquired}, not ${acquire}`);
    this.#compareJobs();
    const allowed = stall_period ? programTolerance * cycles : 0;
    if (Math.abs(this.#cycle - cycles) > allowed) this.#fault(`${this.#cycle} cycles, not ${cycles}`);
    return this.#faults;
  }

  #compareJobs(): void {
    const { jobs, stall_period } = this.#vector;
    if (this.#events.length !== jobs.length) {
      this.#fault(`${this.#events.length} jobs ended, not ${jobs.length}`);
      return;
    }
    for (const [i, [rise, done, event]] of jobs.entries()) {
      const is = this.#records[i];
      const [duration, recorded] = [is.done - is.rise, done - rise];
      if (this.#events[i] !== event) this.#fault(`job ${i} raised event ${this.#events[i]}, not ${event}`);
      if (stall_period) {
        if (Math.abs(duration - recorded) > jobTolerance * recorded) {
          this.#fault(`job ${i} took ${duration} cycles, not ${recorded}`);
        }
      } else if (is.rise !== rise || is.done !== done) {
        this.#fault(`job ${i} ran from ${is.rise} to ${is.done}, not ${rise} to ${done}`);
      }
    }
  }

  /** A read takes two cycles: request and response. */
  #read(offset: number): number {
    this.#tick(this.#cycle);
    const value = this.#device.readUint32(offset, this.#cycle, this.#hart());
    this.#cycle += 2;
    return value;
  }

  /** Lets the device see every cycle up to `cycle`. */
  #tick(cycle: number): void {
    while (this.#ticked < cycle) this.#device.tick(++this.#ticked);
  }

  /** Id 0 names no core; else the highest set bit does (ita.md, section 2). */
  #hart(): number {
    return this.#id === 0 ? -1 : 31 - Math.clz32(this.#id);
  }

  #limit(start: number, what: string): void {
    if (this.#cycle - start > this.#vector.limit) {
      throw new Hang(`waits for ${what} since cycle ${start}, longer than ${this.#vector.limit} cycles`);
    }
  }

  #fault(text: string): void {
    if (this.#faults.length < 4) this.#faults.push(text);
  }
}
