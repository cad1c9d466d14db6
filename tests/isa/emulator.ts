// Runs an ELF on the emulator, as the tests of this folder need it.

import { readElf } from "../../runtime/image/elf.ts";
import { Soc } from "../../runtime/soc/soc.ts";
import { loadTarget } from "../../targets/load.ts";
import type { Run } from "./qemu.ts";

/** As a run on QEMU, with the instructions of all harts. */
export interface EmulatedRun extends Run {
  instructions: number;
}

/**
 * Runs an ELF until the program ends.
 *
 * @param target name of the target
 * @throws GuestFault if the program goes wrong or is still running after `maxCycles`
 */
export async function runEmulator(
  elf: Uint8Array,
  target = "virt",
  maxCycles = 200_000_000,
): Promise<EmulatedRun> {
  let text = "";
  const decoder = new TextDecoder();
  const print = (bytes: Uint8Array) => text += decoder.decode(bytes, { stream: true });
  const soc = new Soc(await loadTarget(target), { console: print });
  soc.load(readElf(elf, "test program"));
  const { exitCode } = soc.run({ maxCycles, limitIsFault: true });
  if (exitCode === undefined) throw new Error("the run ended without an exit code");
  const instructions = soc.statistics().reduce((sum, hart) => sum + hart.instructions, 0);
  return { console: text, exitCode, instructions };
}
