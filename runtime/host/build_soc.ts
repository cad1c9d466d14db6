// A target's SoC with the devices that engines bring along.

import { Ita, type JobRecord } from "../../targets/engines/ita/device.ts";
import type { Target } from "../../targets/schema.ts";
import type { FinishedJob, SocObserver } from "../soc/observer.ts";
import { Soc, type SocOptions } from "../soc/soc.ts";

/**
 * A SoC with every device that the target names; `job` is told of what ITA has finished.
 *
 * @throws {AttoflowError} if the emulator cannot serve it
 */
export function buildSoc(
  target: Target,
  { job, ...options }: Omit<SocOptions, "accelerator"> & Pick<SocObserver, "job"> = {},
): Soc {
  const { ita } = target, { observer } = options;
  const observe = (job || observer?.job) && ((record: JobRecord) => {
    const finished = finishedJob(record);
    job?.(finished);
    observer?.job?.(finished);
  });
  return new Soc(target, {
    ...options,
    ...(ita ? { accelerator: (_, context) => new Ita(context, ita, { observe }) } : {}),
  });
}

function finishedJob({ step, rise, done, traffic }: JobRecord): FinishedJob {
  return { name: step, start: rise, end: done, details: { ...traffic } };
}
