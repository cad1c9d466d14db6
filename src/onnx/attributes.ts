// Attributes of an ONNX node, read by what they hold: exporters store the same scalar as an int, a float, a
// tensor of shape () or a tensor of shape (1) (dialect, section 1).

import { AttoflowError } from "../../targets/errors.ts";
import { printName } from "../model/print.ts";
import { type Constant, decodeTensor } from "./constant.ts";
import type { OnnxAttribute } from "./protobuf.ts";

/** Numbers of ONNX's attribute types. */
export const attributeTypes = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

/** The attributes of one node. Every reader throws {@link AttoflowError} when the attribute has another form. */
export class Attributes {
  readonly #attributes: ReadonlyMap<string, OnnxAttribute>;

  constructor(attributes: readonly OnnxAttribute[]) {
    this.#attributes = new Map(attributes.map((attribute) => [attribute.name, attribute]));
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  /** A list of numbers (a single one is a list of one), or undefined where the attribute is absent. */
  numbers(name: string): number[] | undefined {
    const attribute = this.#attributes.get(name);
    if (!attribute) return undefined;
    switch (typeOf(attribute)) {
      case attributeTypes.float:
        return [attribute.f];
      case attributeTypes.int:
        return [attribute.i];
      case attributeTypes.floats:
        return [...attribute.floats];
      case attributeTypes.ints:
        return [...attribute.ints];
      case attributeTypes.tensor:
        return [...this.tensor(name)!.values];
      default:
        throw wrong(name, "is not a number");
    }
  }

  /** One number; `fallback` where the attribute is absent. */
  number(name: string, fallback?: number): number {
    const values = this.numbers(name);
    if (values === undefined) {
      if (fallback === undefined) throw wrong(name, "is missing");
      return fallback;
    }
    if (values.length !== 1) throw wrong(name, `holds ${values.length} numbers where one is wanted`);
    return values[0];
  }

  /** One integer; `fallback` where the attribute is absent. */
  integer(name: string, fallback?: number): number {
    return integral(name, this.number(name, fallback));
  }

  /** A list of integers, or undefined where the attribute is absent. */
  integers(name: string): number[] | undefined {
    return this.numbers(name)?.map((value) => integral(name, value));
  }

  /** Text, or undefined where the attribute is absent. */
  text(name: string): string | undefined {
    const attribute = this.#attributes.get(name);
    if (!attribute) return undefined;
    if (typeOf(attribute) !== attributeTypes.string) throw wrong(name, "is not text");
    return new TextDecoder().decode(attribute.s);
  }

  /** A tensor, or undefined where the attribute is absent. */
  tensor(name: string): Constant | undefined {
    const attribute = this.#attributes.get(name);
    if (!attribute) return undefined;
    if (!attribute.t) throw wrong(name, "is not a tensor");
    return decodeTensor(attribute.t, `attribute ${printName(name)}`);
  }
}

/** The attribute's type; files of the oldest exporters leave the field out, and the content tells. */
function typeOf(attribute: OnnxAttribute): number {
  if (attribute.type !== 0) return attribute.type;
  if (attribute.t) return attributeTypes.tensor;
  if (attribute.ints.length > 0) return attributeTypes.ints;
  if (attribute.floats.length > 0) return attributeTypes.floats;
  if (attribute.s.length > 0) return attributeTypes.string;
  return attribute.f !== 0 ? attributeTypes.float : attributeTypes.int;
}

function integral(name: string, value: number): number {
  if (!Number.isInteger(value)) throw wrong(name, `is ${value} where an integer is wanted`);
  return value + 0;
}

function wrong(name: string, problem: string): AttoflowError {
  return new AttoflowError(`attribute ${printName(name)} ${problem}`);
}
