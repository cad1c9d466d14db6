// Xdma instructions as the DMA engine takes them.

import type { Dma } from "../../targets/engines/dma/device.ts";
import type { TransferAction } from "../hart/instructions.ts";

/** Does an Xdma instruction. Returns its result; undefined if it must wait for room in the queue. */
export function transfer(
  dma: Dma,
  action: TransferAction,
  a: number,
  b: number,
  cycle: number,
): number | undefined {
  switch (action) {
    case "source":
      dma.setSource(a, b);
      return 0;
    case "destination":
      dma.setDestination(a, b);
      return 0;
    case "stride":
      dma.setStrides(a, b);
      return 0;
    case "repeat":
      dma.setRows(a);
      return 0;
    case "user":
      return 0;
    case "copy":
      return dma.start(a, b, cycle);
    case "status":
      return dma.status(b, cycle);
  }
}
