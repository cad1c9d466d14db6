// Prints a model as text that a person reads and a test compares. The same model gives the same text.

import { elementCount, type Model, type Node, type Range, type Tensor } from "./types.ts";

/** Characters of a name that are printed; what is cut is marked with an ellipsis. */
const nameWidth = 60;

/** A name from a model file, quoted, with control characters escaped, cut where it is long. */
export function printName(name: string): string {
  return JSON.stringify(name.length > nameWidth ? `${name.slice(0, nameWidth)}…` : name)
    .replaceAll(
      /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/** A tensor's dtype, shape and values, such as `int8[1, 64] in -128 … 127`. */
export function printType({ dtype, shape, range }: Pick<Tensor, "dtype" | "shape" | "range">): string {
  const type = `${dtype}[${shape.join(", ")}]`;
  return dtype === "float32" ? type : `${type} in ${printRange(range)}`;
}

function printRange({ min, max }: Range): string {
  return min === max ? `${min}` : `${min} … ${max}`;
}

/** An attribute's value: numbers, strings, booleans and lists of them. */
function printValue(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(printValue).join(", ")}]` : JSON.stringify(value);
}

/** One line for a node: outputs, operator, attributes and inputs. */
export function printNode(model: Pick<Model, "tensors">, node: Node): string {
  const attributes = Object.keys(node.attributes).sort()
    .map((key) => `${key}=${printValue(node.attributes[key])}`);
  const outputs = node.outputs.map((name) => {
    const tensor = model.tensors.get(name);
    return tensor ? `${printName(name)}: ${printType(tensor)}` : "-";
  });
  const inputs = node.inputs.map((name) => name === "" ? "-" : printName(name));
  const parameters = attributes.length > 0 ? ` {${attributes.join(", ")}}` : "";
  return `${outputs.join(", ")} = ${node.operator}${parameters} (${inputs.join(", ")})`;
}

/** The whole model: inputs, constants that nodes read, nodes in order, outputs. */
export function printModel(model: Model): string {
  const lines = [`model ${printName(model.name)}`];
  const line = (kind: string, name: string) => {
    const tensor = model.tensors.get(name);
    return `  ${kind} ${printName(name)}: ${tensor ? printType(tensor) : "?"}`;
  };
  for (const name of model.inputs) lines.push(line("input", name));
  const read = new Set(model.nodes.flatMap((node) => node.inputs));
  for (const [name, tensor] of model.tensors) {
    if (!tensor.data || !read.has(name)) continue;
    const few = elementCount(tensor.shape) <= 8 ? ` = ${printValue([...tensor.data])}` : "";
    lines.push(`${line("constant", name)}${few}`);
  }
  for (const node of model.nodes) lines.push(`  ${printNode(model, node)}`);
  for (const name of model.outputs) lines.push(`  output ${printName(name)}`);
  return `${lines.join("\n")}\n`;
}
