// The session: one image on one machine, inputs in, results out, one inference at a time.
// It knows the mailbox and the manifest and nothing of the machine behind the transport.

import { AttoflowError } from "../../targets/errors.ts";
import { mailboxExit, mailboxOptions, mailboxStatus } from "../../targets/mailbox.ts";
import type { Manifest, ManifestTensor } from "../../targets/manifest.ts";
import type { Image } from "../image/types.ts";
import type { EngineTimes } from "../../targets/engine_time.ts";
import { type Counters, countersBetween } from "../soc/counters.ts";
import { observedEngineTimes } from "../trace/engine_activity.ts";
import { checkLayout, describeError, isReady, Mailbox, type MailboxState } from "./mailbox.ts";
import { displayName } from "./names.ts";
import {
  bytesFromElements,
  countElements,
  type Elements,
  elementsFromBytes,
  elementTypeOf,
  firstOutOfRange,
  positionOf,
  type ResultTensor,
} from "./tensors.ts";
import { SessionError } from "./session_error.ts";
import type { Transport } from "./transport.ts";

/** How one inference is run. */
export interface InferenceOptions {
  /**
   * Stop behind every layer and bring back its results. The cycles then hold a few hundred more for each stop.
   */
  readonly layers?: boolean;
}

/** What a layer left behind. */
export interface LayerResult {
  /** Index in `manifest.layers`. */
  readonly index: number;
  readonly outputs: readonly ResultTensor[];
}

/** What an inference gave. */
export interface InferenceResult {
  /** Number of inferences that this session finished before, on top of the index it began with. */
  readonly index: number;
  /** In the order of `manifest.outputs`. */
  readonly outputs: readonly ResultTensor[];
  /** Cluster cycles from the command to the last output. */
  readonly cycles: number;
  /** Cycles of each layer, in the order of `manifest.layers`. */
  readonly layerCycles: readonly number[];
  /** What the machine did between the command and the word that says done, where it counts. */
  readonly counters?: Counters;
  /** Where each engine's time in them went, where it is known and nobody paused between layers. */
  readonly engines?: EngineTimes;
  /** Present if `layers` was asked for. */
  readonly layers?: readonly LayerResult[];
}

/** Cycles that a start may take: clearing memory and setting up takes far less. */
const startCycles = 50_000_000;

/** One image on one machine. Made by {@link openSession}. */
export class Session {
  readonly #transport: Transport;
  readonly #mailbox: Mailbox;
  readonly #maxCycles: number;
  #state: "starting" | "ready" | "busy" | "closed" = "starting";
  #count: number;

  /**
   * @param image what runs on the machine; its symbols name places in errors
   * @param maxCycles see `SessionOptions`
   * @param firstIndex see `SessionOptions`
   */
  constructor(
    readonly manifest: Manifest,
    transport: Transport,
    private readonly image?: Image,
    maxCycles?: number,
    firstIndex = 0,
  ) {
    this.#count = firstIndex;
    const address = manifest.symbols.attoflow_mailbox;
    if (address === undefined) {
      throw new AttoflowError("the manifest has no symbol attoflow_mailbox", {
        hint: "The image has no mailbox to talk to; generate it again.",
      });
    }
    this.#transport = transport;
    this.#mailbox = new Mailbox(transport, address);
    const estimate = manifest.layers.reduce((sum, layer) => sum + layer.estimatedCycles, 0);
    this.#maxCycles = maxCycles ?? startCycles + 100 * estimate;
  }

  /** Waits until the image is ready for commands. {@link openSession} does this. */
  async start(): Promise<void> {
    const state = await this.#waitFor(this.#mailbox.magicAddress, "the start", isReady);
    checkLayout(state, this.manifest.layers.length);
    this.#state = "ready";
  }

  /**
   * Runs one inference.
   *
   * @param inputs elements of each input in the order of `manifest.inputs`, in the typed array of its dtype
   * @throws {AttoflowError} if an input does not fit, the program faults, reports an error or takes too long;
   *   behind a fault the session is closed
   */
  async infer(inputs: readonly Elements[], options: InferenceOptions = {}): Promise<InferenceResult> {
    this.#checkInputs(inputs);
    if (this.#state !== "ready") {
      throw new AttoflowError(
        this.#state === "closed"
          ? "the session is closed"
          : "an inference is under way; wait for it before the next",
      );
    }
    this.#state = "busy";
    try {
      const result = await this.#infer(inputs, options);
      this.#state = "ready";
      this.#count++;
      return result;
    } catch (error) {
      this.#state = "closed";
      await this.#transport.close();
      throw error;
    }
  }

  /**
   * Runs an inference for each set of inputs, giving each result as soon as it is there.
   *
   * @param inputs sets of inputs as {@link infer} takes them
   */
  async *run(
    inputs: AsyncIterable<readonly Elements[]> | Iterable<readonly Elements[]>,
    options: InferenceOptions = {},
  ): AsyncGenerator<InferenceResult> {
    for await (const set of inputs) yield await this.infer(set, options);
  }

  /** Ends the program and lets go of the machine. Does nothing the second time. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    const idle = this.#state === "ready";
    this.#state = "closed";
    try {
      if (idle) {
        await this.#mailbox.write("command", mailboxExit);
        await this.#transport.wait(this.#mailbox.statusAddress, startCycles);
      }
    } finally {
      await this.#transport.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #infer(inputs: readonly Elements[], options: InferenceOptions): Promise<InferenceResult> {
    for (const [i, tensor] of this.manifest.inputs.entries()) {
      if (tensor.bytes > 0) await this.#transport.write(tensor.address, bytesFromElements(inputs[i]));
    }
    const { sequence } = await this.#mailbox.read();
    const before = this.#transport.counters?.();
    this.#transport.activity?.();
    await this.#mailbox.write("resume", 0);
    await this.#mailbox.write("options", options.layers ? mailboxOptions.pause : 0);
    await this.#mailbox.write("command", (sequence + 1) >>> 0);

    const layers: LayerResult[] = [];
    const what = `inference ${this.#count}`;
    let state: MailboxState;
    for (;;) {
      // The status of the inference before stays until the image has seen the command.
      state = await this.#waitFor(
        this.#mailbox.statusAddress,
        what,
        (now) =>
          now.status === mailboxStatus.done
            ? now.sequence === (sequence + 1) >>> 0
            : now.status === mailboxStatus.paused && now.layer > layers.length,
      );
      if (state.status === mailboxStatus.done) break;
      layers.push(await this.#readLayer(state.layer - 1));
      await this.#mailbox.write("resume", state.layer);
    }
    const after = this.#transport.counters?.();
    const activity = options.layers ? undefined : this.#transport.activity?.();
    const engines = before && after && activity &&
      observedEngineTimes(this.manifest, activity, before.cycles, after.cycles);
    if (options.layers && layers.length !== this.manifest.layers.length) {
      throw new SessionError(
        `the program paused behind ${layers.length} of ${this.manifest.layers.length} layers`,
        { where: this.#place(what, state) },
      );
    }
    return {
      index: this.#count,
      outputs: await this.#readTensors(this.manifest.outputs),
      cycles: state.cyclesHigh * 2 ** 32 + state.cyclesLow,
      layerCycles: await this.#readLayerCycles(state),
      ...(before && after ? { counters: countersBetween(before, after) } : {}),
      ...(engines ? { engines } : {}),
      ...(options.layers ? { layers } : {}),
    };
  }

  /** Waits for writes of the word at `address` until `accept` likes the state of the mailbox. */
  async #waitFor(
    address: number,
    what: string,
    accept: (state: MailboxState) => boolean,
  ): Promise<MailboxState> {
    let left = this.#maxCycles;
    for (;;) {
      const wake = await this.#transport.wait(address, left);
      left -= wake.cycles;
      const state = await this.#mailbox.read();
      if (state.status === mailboxStatus.failed) {
        throw new SessionError(`the program reports an error: ${describeError(state, this.image)}`, {
          where: this.#place(what, state),
        });
      }
      if (accept(state)) return state;
      if (wake.reason === "exit") {
        throw new SessionError(`the program ended with exit code ${wake.exitCode} before it was done`, {
          where: this.#place(what, state),
        });
      }
      if (wake.reason === "limit" || left <= 0) {
        const doing = await this.#transport.describe();
        throw new SessionError(
          `not done after ${this.#maxCycles} cycles${doing ? `: ${doing}` : ""}`,
          { where: this.#place(what, state), hint: "If it only needs longer, raise --max-cycles." },
        );
      }
    }
  }

  #place(what: string, state: MailboxState): string {
    const layer = this.manifest.layers[state.layer];
    return what === "the start" || !layer
      ? `${this.#transport.name}, ${what}`
      : `${this.#transport.name}, ${what}, layer ${layer.index} (${layer.operator} ${
        displayName(layer.node)
      })`;
  }

  async #readLayer(index: number): Promise<LayerResult> {
    const layer = this.manifest.layers[index];
    if (!layer) throw new AttoflowError(`the image paused behind layer ${index}, which the manifest has not`);
    return { index, outputs: await this.#readTensors(layer.outputs) };
  }

  async #readTensors(tensors: readonly ManifestTensor[]): Promise<ResultTensor[]> {
    const results: ResultTensor[] = [];
    for (const { name, dtype, shape, address, bytes } of tensors) {
      const raw = bytes > 0 ? await this.#transport.read(address, bytes) : new Uint8Array();
      results.push({ name, dtype, shape, data: elementsFromBytes(dtype, raw) });
    }
    return results;
  }

  async #readLayerCycles(state: MailboxState): Promise<number[]> {
    if (state.layerCount === 0) return [];
    const raw = await this.#transport.read(state.layerCycles, 4 * state.layerCount);
    const ends = [...elementsFromBytes("int32", raw)].map((word) => word >>> 0);
    return ends.map((end, i) => (end - (i > 0 ? ends[i - 1] : 0)) >>> 0);
  }

  #checkInputs(inputs: readonly Elements[]): void {
    const wanted = this.manifest.inputs;
    if (inputs.length !== wanted.length) {
      throw new AttoflowError(`the network has ${wanted.length} inputs, ${inputs.length} are given`);
    }
    for (const [i, tensor] of wanted.entries()) {
      const data = inputs[i];
      const where = `input ${i} (${displayName(tensor.name)})`;
      const type = elementTypeOf(data);
      if (type !== tensor.dtype || data.length !== countElements(tensor.shape)) {
        throw new AttoflowError(
          `it wants ${countElements(tensor.shape)} elements of ${tensor.dtype}, ` +
            `${data.length} of ${type ?? "another type"} are given`,
          { where },
        );
      }
      const bad = firstOutOfRange(tensor, data);
      if (bad >= 0) {
        throw new AttoflowError(
          `element [${positionOf(bad, tensor.shape)}] is ${data[bad]}, ` +
            `the image is made for values from ${tensor.range.min} to ${tensor.range.max}`,
          { where, hint: "Generate the image again with a wider --input-type." },
        );
      }
    }
  }
}
