// A node that a pass might make, as an engine sees it: so that the engine can be asked before the model is changed.

import type { NodeView } from "../../targets/engines/engine.ts";
import type { Tensor } from "../model/types.ts";
import { operatorNamed } from "../operators/registry.ts";

/** The view of a node that does not exist yet, with its result inferred. Throws what the operator's inference throws. */
export function candidateView(
  operator: string,
  name: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: Readonly<Record<string, unknown>>,
): NodeView {
  const { parse, infer } = operatorNamed(operator);
  const parsed = parse(attributes);
  const output: Tensor = { name: "result", ...infer(inputs, parsed)[0] };
  const names = inputs.map((tensor) => tensor?.name ?? "");
  return {
    node: { name, operator, attributes: parsed, inputs: names, outputs: [output.name] },
    inputs,
    outputs: [output],
  };
}
