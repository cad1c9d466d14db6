// When layers and inferences begin and end, read off the words that the image writes to its mailbox.

import { mailboxFields, mailboxOptions, mailboxStatus } from "../../targets/mailbox.ts";
import type { Manifest } from "../../targets/manifest.ts";
import type { ObservedParts } from "../soc/observer.ts";

/** Is told of each span as it begins and ends. Layers are numbered as in the manifest. */
export interface LayerListener {
  inferenceBegins(cycle: number): void;
  layerBegins(layer: number, cycle: number): void;
  layerEnds(layer: number, cycle: number): void;
  inferenceEnds(cycle: number): void;
}

/** Tells listeners of the layers that an image works on. A pause for the host belongs to no layer. */
export function watchLayers(
  manifest: Manifest,
  { access, map }: Pick<ObservedParts, "access" | "map">,
  listeners: readonly LayerListener[],
): void {
  const mailbox = manifest.symbols.attoflow_mailbox;
  if (mailbox === undefined || !map.span(mailbox, 4)) return;
  const layers = manifest.layers.length;
  const wordAt = (address: number) => map.wordAt(address)! >>> 0;
  let inference = false;
  /** Layer that is worked on, or -1; the one that follows the last that ended. */
  let current = -1, next = 0;
  const begin = (cycle: number) => {
    if (current >= 0 || next >= layers) return;
    current = next;
    for (const listener of listeners) listener.layerBegins(current, cycle);
  };
  const end = (cycle: number) => {
    if (current < 0) return;
    for (const listener of listeners) listener.layerEnds(current, cycle);
    current = -1;
  };
  access.watch(mailbox + mailboxFields.layer, (address, cycle) => {
    const finished = wordAt(address);
    if (!inference || finished === 0 || finished > layers) return;
    end(cycle);
    next = finished;
    const pauses = (wordAt(mailbox + mailboxFields.options) & mailboxOptions.pause) !== 0;
    if (!pauses) begin(cycle);
  });
  access.watch(mailbox + mailboxFields.status, (address, cycle) => {
    const status = wordAt(address);
    if (status === mailboxStatus.running && !inference) {
      inference = true;
      next = 0;
      for (const listener of listeners) listener.inferenceBegins(cycle);
    }
    if (status === mailboxStatus.running) begin(cycle);
    else if (inference) {
      end(cycle);
      if (status === mailboxStatus.paused) return;
      inference = false;
      for (const listener of listeners) listener.inferenceEnds(cycle);
    }
  });
}
