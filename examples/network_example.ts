// What the example networks have in common: what building one gives, and its files.

import { join } from "node:path";
import { writeNpz } from "../runtime/validate/npz.ts";
import { inputsOf, outputsOf, tensorOf } from "../src/model/graph.ts";
import { elementCount, type Model, type TensorData } from "../src/model/types.ts";
import { exportModel } from "../src/onnx/export.ts";
import { macsOf } from "../src/operators/registry.ts";
import type { IntegerBuilder, TensorName } from "./integer_builder.ts";

/** Choices that a caller may make. */
export interface NetworkOptions {
  /** How many of the network's layers to build; all if not given. Fewer make quick tests. */
  readonly layers?: number;
  /** The same seed gives the same parameters and inputs. */
  readonly seed?: number;
}

/** A network and inferences of it. */
export interface NetworkExample {
  readonly model: Model;
  /** For each inference the elements of each graph input; the constants were chosen by these. */
  readonly inputs: readonly (readonly Int8Array[])[];
  /** For each inference the elements of each graph output, by the operators' meaning. */
  readonly outputs: readonly (readonly Int8Array[])[];
  /** Elements of each tensor of 8 bits, inputs and outputs among them, in each inference. */
  readonly activations: ReadonlyMap<string, readonly TensorData[]>;
}

/** The network that ends with `output`, and the inferences that it was built along with. */
export function finishNetwork(net: IntegerBuilder, output: TensorName): NetworkExample {
  const model = net.finish([output]);
  const inferences = (names: readonly TensorName[]) =>
    net.samplesOf(output).map((_, sample) => names.map((name) => net.samplesOf(name)[sample] as Int8Array));
  const names = [...model.inputs, ...model.nodes.flatMap((node) => node.outputs)]
    .filter((name) => model.tensors.get(name)!.dtype !== "int32");
  return {
    model,
    inputs: inferences(model.inputs),
    outputs: inferences(model.outputs),
    activations: new Map(names.map((name) => [name, net.samplesOf(name)])),
  };
}

/**
 * Multiply-accumulates of a network by its own operators: matrix products and convolutions as they are written, batch by
 * batch. Scaling a residual by channel is no matrix product and counts nothing.
 */
export function countMacs(model: Model): number {
  return model.nodes.reduce(
    (sum, node) => sum + macsOf(node, inputsOf(model, node), outputsOf(model, node)),
    0,
  );
}

/** Weights of a network: elements of its int8 constants. */
export function countWeights(model: Model): number {
  return [...model.tensors.values()].reduce(
    (sum, { data }) => sum + (data instanceof Int8Array ? data.length : 0),
    0,
  );
}

/** Writes network.onnx, inputs.npz and outputs.npz into a folder, which is made if it is not there. */
export async function writeNetwork(
  { model, inputs, outputs }: NetworkExample,
  folder: string,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(join(folder, "network.onnx"), exportModel(model));
  for (
    const [file, names, inferences] of [
      ["inputs.npz", model.inputs, inputs],
      ["outputs.npz", model.outputs, outputs],
    ] as const
  ) {
    // One array a tensor; inferences one behind the other along its first axis.
    const arrays = names.map((name, i) => {
      const { shape } = tensorOf(model, name);
      const data = new Int8Array(inferences.length * elementCount(shape));
      inferences.forEach((tensors, at) => data.set(tensors[i], at * elementCount(shape)));
      return [name, { shape: [inferences.length * shape[0], ...shape.slice(1)], data }] as const;
    });
    await Deno.writeFile(join(folder, file), writeNpz(new Map(arrays)));
  }
}

/** What a build script does: builds a network, writes its files and prints what was built. */
export async function buildScript(name: string, build: () => NetworkExample): Promise<void> {
  const folder = Deno.args[0] ?? `out/${name}`;
  const started = performance.now();
  const example = build();
  await writeNetwork(example, folder);
  const seconds = (performance.now() - started) / 1000;
  const { model, inputs } = example;
  console.log(
    `${join(folder, "network.onnx")}: ${model.nodes.length} nodes, ` +
      `${(countWeights(model) / 1e6).toFixed(2)} M weights, ${(countMacs(model) / 1e9).toFixed(3)} GMAC ` +
      `(matrix products of the network's own operators); ${inputs.length} inputs; ${seconds.toFixed(1)} s`,
  );
}
