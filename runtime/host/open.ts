// Opens a session: brings together the folder that `generate` has written, a machine and the mailbox.

import type { Target } from "../../targets/schema.ts";
import type { SocObserver } from "../soc/observer.ts";
import { EmulatorTransport } from "./emulator.ts";
import { type GeneratedImage, readGeneratedImage } from "./folder.ts";
import { Session } from "./session.ts";
import { type CacheChoice, engineFor, type Timing } from "./timing.ts";
import type { Transport } from "./transport.ts";

/** How a session is opened. */
export interface SessionOptions {
  /** The machine; by default an emulator of the target that the image was made for. */
  readonly transport?: Transport;
  /** Cycles after which the start or an inference counts as hung. By default a hundred times the estimate. */
  readonly maxCycles?: number;
  /** Index of the session's first inference in results and errors; 0 by default. */
  readonly firstIndex?: number;
  /** Takes what the program prints; by default that is dropped. Only for the default transport. */
  readonly console?: (text: string) => void;
  /** How cycles are counted, by default `exact`. Only for the default transport. */
  readonly timing?: Timing;
  /** Where `fast` timing keeps translated code. */
  readonly cache?: CacheChoice;
  /** Looks on while the program runs, under `exact` timing. Only for the default transport. */
  readonly observer?: SocObserver;
  /** Breaks waits off: what waits then rejects with `Interrupted`. Only for the default transport. */
  readonly signal?: AbortSignal;
}

/**
 * Loads a generated image into a machine and starts it.
 *
 * @param source folder that `generate` has written, or its content
 * @throws {AttoflowError} if a file is wrong, the machine cannot be reached or the image does not come up
 *
 * @example Run one inference on the emulator
 * ```ts ignore
 * await using session = await openSession("out/encoder");
 * const { outputs, cycles } = await session.infer([new Int8Array(3 * 32 * 32)]);
 * console.log(outputs[0].data, cycles);
 * ```
 */
export async function openSession(
  source: string | GeneratedImage,
  options: SessionOptions = {},
): Promise<Session> {
  const { manifest, target, image } = typeof source === "string" ? await readGeneratedImage(source) : source;
  const transport = options.transport ?? emulator(target, options);
  try {
    await transport.load(image);
    await transport.start();
    const session = new Session(manifest, transport, image, options.maxCycles, options.firstIndex);
    await session.start();
    return session;
  } catch (error) {
    await transport.close();
    throw error;
  }
}

function emulator(target: Target, { timing = "exact", cache, ...options }: SessionOptions): Transport {
  const engine = engineFor(target, timing, { cache });
  return new EmulatorTransport(target, { ...options, ...(engine ? { engine } : {}) });
}
