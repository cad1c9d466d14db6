// Removes requantisations that change nothing: quantisers leave many of them, such as 65536 / 65536.

import { type RequantAttributes, requantLimits } from "../operators/requant_shift.ts";
import { within } from "../operators/ranges.ts";
import { type Pass, rebuild } from "./pass.ts";

/** (x·2^s + 2^(s-1)) >> s is x; where x's values all lie within the clip, RequantShift becomes Reshape. */
export const dropUnityRequant: Pass = {
  name: "drop-unity-requant",
  summary: "RequantShift by 1 of values that need no clip becomes Reshape",
  run: (model) =>
    rebuild(model, (node, [x, mul, add], builder) => {
      if (node.operator !== "RequantShift") return false;
      const attributes = node.attributes as unknown as RequantAttributes;
      const { shift } = attributes;
      const unity = shift >= 0 && mul!.data!.every((m) => m === 2 ** shift) &&
        add!.data!.every((a) => a === 0);
      if (!unity || !within(x!.range, requantLimits(attributes))) return false;
      const { name, outputs } = node;
      builder.append({
        operator: "Reshape",
        inputs: [x],
        attributes: { shape: x!.shape },
        name,
        output: outputs[0],
      });
      return true;
    }),
};
