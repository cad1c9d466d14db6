// The importer on files with the quirks that the dialect's files have (section 1), and with faults.

import assert from "node:assert/strict";
import { AttoflowError } from "../targets/errors.ts";
import type { Model, TensorData } from "../src/model/types.ts";
import { verifyModel } from "../src/model/verify.ts";
import { type FileAttribute, OnnxFile } from "../src/onnx/file.ts";
import { ImportError, importModel, type ImportOptions, inspectModel } from "../src/onnx/import.ts";
import { encodeOnnx } from "../src/onnx/protobuf.ts";
import { evaluateModel, outputsFrom } from "../src/operators/evaluate.ts";

const options = { name: "test", softmaxShift: 0 } as const;

function load(file: OnnxFile, more: Partial<ImportOptions> = {}): Model {
  const model = importModel(file.bytes(), { ...options, ...more });
  verifyModel(model);
  return model;
}

function run(model: Model, ...inputs: number[][]): number[][] {
  return outputsFrom(model, evaluateModel(model, inputs)).map((data: TensorData) => [...data]);
}

function problemsOf(bytes: Uint8Array, more: Partial<ImportOptions> = {}): string[] {
  return inspectModel(bytes, { ...options, ...more }).problems.map((problem) => problem.paragraph);
}

const requant = { div: { shape: [], values: [4] }, n_levels_out: { shape: [1], values: [256] }, signed: 1 };

Deno.test("scalar attributes may be tensors, floats, ints or lists of one", () => {
  const forms = [
    { div: 4, n_levels: 256, signed: 1 },
    { div: { float: 4 }, n_levels: { floats: [256] }, signed: [1] },
    {
      div: { shape: [], values: [4] },
      n_levels: { shape: [1], values: [256], type: "INT32" },
      signed: { shape: [1], values: [1] },
    },
  ] as const;
  for (const attributes of forms) {
    const file = new OnnxFile("g");
    file.input("x", [3]);
    file.constant("mul", { shape: [], values: [2] });
    file.constant("add", { shape: [1], values: [0] });
    file.output(file.node("RequantShift", "rq", ["x", "mul", "add"], attributes), [3]);
    assert.deepEqual(run(load(file), [1, 2, 3]), [[1, 1, 2]]);
  }
});

Deno.test("initializers may be listed among the inputs, nodes in any order, under any domain", () => {
  const file = new OnnxFile("g", 9);
  file.input("x", [2]);
  file.input("mul", [1]);
  file.input("add", [1]);
  file.constant("mul", { shape: [1], values: [8], type: "INT32" });
  file.constant("add", { shape: [1], values: [0], type: "DOUBLE" });
  file.output("y", [2]);
  file.node("RequantShift", "second", ["z", "mul", "add"], requant, { outputs: ["y"], domain: "PACTOps" });
  file.node("Relu", "first", ["x"], {}, { outputs: ["z"], domain: "ai.onnx.contrib" });
  const model = load(file);
  assert.deepEqual(model.inputs, ["x"]);
  assert.deepEqual(model.nodes.map((node) => node.name), ["first", "second"]);
  assert.deepEqual(run(model, [-5, 3]), [[0, 6]]);
});

Deno.test("constants come from nodes, in every typed field and raw", () => {
  const tensors = [
    { data_type: 1, float_data: [3, -4] },
    { data_type: 11, double_data: [3, -4] },
    { data_type: 3, int32_data: [3, -4] },
    { data_type: 5, int32_data: [3, -4] },
    { data_type: 6, int32_data: [3, -4] },
    { data_type: 7, int64_data: [3, -4] },
    // Half precision: 3 is 0x4200, -4 is 0xc400.
    { data_type: 10, int32_data: [0x4200, 0xc400] },
    { data_type: 10, raw_data: Uint8Array.of(0x00, 0x42, 0x00, 0xc4) },
    { data_type: 3, raw_data: Uint8Array.of(3, 252) },
    { data_type: 5, raw_data: Uint8Array.of(3, 0, 252, 255) },
    { data_type: 7, raw_data: new Uint8Array(BigInt64Array.of(3n, -4n).buffer) },
  ];
  for (const tensor of tensors) {
    const bytes = encodeOnnx({
      graph: {
        node: [
          {
            op_type: "Constant",
            output: ["c"],
            attribute: [{ name: "value", type: 4, t: { dims: [2], ...tensor } }],
          },
          { op_type: "Add", input: ["x", "c"], output: ["y"] },
        ],
        input: [{ name: "x", type: { tensor_type: { elem_type: 3, shape: { dim: [{ dim_value: 2 }] } } } }],
        output: [{ name: "y" }],
      },
    });
    assert.deepEqual(run(importModel(bytes, options), [10, 20]), [[13, 16]], JSON.stringify(tensor));
  }
});

Deno.test("Constant nodes may hold plain numbers", () => {
  const forms: Record<string, FileAttribute>[] = [
    { value_float: { float: 2 } },
    { value_int: 2 },
    { value_ints: [2] },
    { value_floats: { floats: [2] } },
  ];
  for (const attributes of forms) {
    const file = new OnnxFile("g");
    file.input("x", [1]);
    file.output(file.node("Mul", "m", ["x", file.node("Constant", "c", [], attributes)]), [1]);
    assert.deepEqual(run(load(file), [21]), [[42]]);
  }
});

Deno.test("tensors with a dimension of 0 pass", () => {
  const file = new OnnxFile("g");
  file.input("cache", [1, 0, 2]);
  file.input("x", [1, 1, 2]);
  file.output(file.node("Concat", "c", ["cache", "x"], { axis: -2 }), [1, 1, 2]);
  const model = load(file, { inputTypes: { x: "int8" } });
  assert.deepEqual(run(model, [], [4, 5]), [[4, 5]]);
  assert.equal(model.tensors.get(model.outputs[0])!.dtype, "int8");
});

Deno.test("shape arithmetic of an exporter folds away", () => {
  const file = new OnnxFile("g");
  file.input("x", [2, 3, 4], "INT8");
  const shape = file.node("Shape", "shape", ["x"]);
  const zero = file.constant("zero", { shape: [], values: [0], type: "INT64" });
  const batch = file.node("Gather", "batch", [shape, zero], { axis: 0 });
  const axes = file.constant("axes", { shape: [1], values: [0], type: "INT64" });
  const list = file.node("Unsqueeze", "list", [batch, axes]);
  const rest = file.node("Constant", "rest", [], { value: { shape: [1], values: [-1], type: "INT64" } });
  const target = file.node("Concat", "target", [list, rest], { axis: 0 });
  file.output(file.node("Reshape", "reshape", ["x", target]), [2, 12]);
  const model = load(file);
  assert.deepEqual(model.nodes.map((node) => node.operator), ["Reshape"]);
  assert.deepEqual(model.tensors.get(model.outputs[0])!.shape, [2, 12]);
});

Deno.test("axes, pads and bounds may be attributes or inputs", () => {
  const list = (values: number[]) => ({ shape: [values.length], values, type: "INT64" }) as const;
  const both = (operator: string, name: string, values: number[], more = {}) => {
    return [true, false].map((asInput) => {
      const file = new OnnxFile("g");
      file.input("x", [1, 2, 1]);
      const inputs = asInput ? ["x", file.constant(name, list(values))] : ["x"];
      const attributes = asInput ? more : { [name]: values, ...more };
      file.output(file.node(operator, "n", inputs, attributes), []);
      const model = load(file);
      return { shape: model.tensors.get(model.outputs[0])!.shape, values: run(model, [3, -4])[0] };
    });
  };
  for (const { shape } of both("Squeeze", "axes", [0])) assert.deepEqual(shape, [2, 1]);
  for (const { shape } of both("Unsqueeze", "axes", [-1])) assert.deepEqual(shape, [1, 2, 1, 1]);
  for (const { values } of both("ReduceSum", "axes", [1], { keepdims: 0 })) assert.deepEqual(values, [-1]);
  for (const { shape } of both("ReduceMean", "axes", [-2], { keepdims: 1 })) {
    assert.deepEqual(shape, [1, 1, 1]);
  }
  for (const { values } of both("Pad", "pads", [0, 1, 0, 0, 0, 0])) assert.deepEqual(values, [0, 3, -4]);
});

Deno.test("IntegerMean takes its axis as a plain integer", () => {
  const file = new OnnxFile("g");
  file.input("x", [1, 3]);
  file.output(file.node("IntegerMean", "n", ["x"], { axes: 1, keepdims: 0 }, { domain: "PACTOps" }), [1]);
  assert.deepEqual(run(load(file), [1, 2, 5]), [[3]]);
});

Deno.test("Slice: attributes, inputs, negative axes, ends far beyond, backwards", () => {
  const slice = (starts: number[], ends: number[], axes: number[], steps?: number[]) => {
    const file = new OnnxFile("g");
    file.input("x", [2, 4]);
    const lists = [starts, ends, axes, ...(steps ? [steps] : [])];
    const inputs = lists.map((values, i) =>
      file.constant(`l${i}`, { shape: [values.length], values, type: "INT64" })
    );
    file.output(file.node("Slice", "s", ["x", ...inputs]), []);
    return run(load(file), [0, 1, 2, 3, 4, 5, 6, 7])[0];
  };
  assert.deepEqual(slice([1], [2 ** 62], [-1]), [1, 2, 3, 5, 6, 7]);
  assert.deepEqual(slice([-2, 0], [4, 1], [1, 0]), [2, 3]);
  assert.deepEqual(slice([-1], [-(2 ** 62)], [1], [-2]), [3, 1, 7, 5]);
  assert.deepEqual(slice([3], [1], [1]), []);
  const old = new OnnxFile("g", 9);
  old.input("x", [4]);
  old.output(old.node("Slice", "s", ["x"], { starts: [1], ends: [3] }), []);
  assert.deepEqual(run(load(old), [0, 1, 2, 3]), [[1, 2]]);
});

Deno.test("auto_pad and ceil_mode become pads", () => {
  const pool = (attributes: Record<string, number | string | number[]>) => {
    const file = new OnnxFile("g");
    file.input("x", [1, 1, 5]);
    file.output(file.node("MaxPool", "p", ["x"], { kernel_shape: [2], strides: [2], ...attributes }), []);
    return run(load(file), [5, 1, 2, 9, 7])[0];
  };
  assert.deepEqual(pool({}), [5, 9]);
  assert.deepEqual(pool({ ceil_mode: 1 }), [5, 9, 7]);
  assert.deepEqual(pool({ auto_pad: "SAME_UPPER" }), [5, 9, 7]);
  assert.deepEqual(pool({ auto_pad: "SAME_LOWER" }), [5, 2, 9]);
  assert.deepEqual(pool({ auto_pad: "VALID" }), [5, 9]);
});

Deno.test("MatMul of vectors", () => {
  const file = new OnnxFile("g");
  file.input("x", [2]);
  file.constant("w", { shape: [2, 3], values: [1, 2, 3, 4, 5, 6] });
  file.constant("v", { shape: [3], values: [1, 1, -1] });
  const row = file.node("MatMul", "row", ["x", "w"]);
  file.output(row, [3]);
  file.output(file.node("MatMul", "dot", [row, "v"]), []);
  const model = load(file);
  assert.deepEqual(run(model, [1, 10]), [[41, 52, 63], [30]]);
  assert.deepEqual(model.outputs.map((name) => model.tensors.get(name)!.shape), [[3], []]);
});

Deno.test("types of inputs: option, file, pattern, assumption, each with its reason", () => {
  const file = new OnnxFile("g");
  file.input("given", [1]);
  file.input("typed", [1], "UINT8");
  file.input("plain", [1]);
  file.input("real", [1]);
  const sum = file.node("Add", "a", [file.node("Add", "b", ["given", "typed"]), "plain"]);
  file.output(sum, [1]);
  const number = (name: string, value: number) => file.constant(name, { shape: [], values: [value] });
  const moved = file.node("Reshape", "move", [
    "real",
    file.constant("s", { shape: [2], values: [1, 1], type: "INT64" }),
  ]);
  const divided = file.node("Div", "d", [moved, number("scale", 0.5)]);
  const rounded = file.node("Round", "r", [file.node("Add", "z", [divided, number("zp", 1)])]);
  file.output(file.node("Clip", "q", [rounded, number("lo", -128), number("hi", 127)]), [1, 1]);
  const { inputs, model } = inspectModel(file.bytes(), {
    ...options,
    inputTypes: { given: "int8", real: "int32" },
  });
  assert.deepEqual(inputs.map(({ name, dtype, evidence }) => [name, dtype, evidence]), [
    ["given", "int8", "option"],
    ["typed", "uint8", "file"],
    ["plain", "int32", "assumed"],
    ["real", "float32", "pattern"],
  ]);
  for (const { reason, dtype } of inputs) assert.ok(reason.startsWith(dtype));
  assert.ok(model!.nodes.some((node) => node.operator === "Quant"));
  // 1.25 / 0.5 + 1 = 3.5, and 4 is even.
  assert.deepEqual(run(model!, [1], [2], [3], [1.25])[1], [4]);
});

Deno.test("a type for an input that is not there is refused", () => {
  const file = new OnnxFile("g");
  file.input("x", [1]);
  file.output(file.node("Relu", "r", ["x"]), [1]);
  assert.match(problemsOf(file.bytes(), { inputTypes: { y: "int8" } })[0], /"y".*Its inputs are "x"/);
});

Deno.test("Dequant is found with and without its Sub, and the scale on either side", () => {
  for (const [sub, swapped] of [[true, false], [false, true]]) {
    const file = new OnnxFile("g");
    file.input("x", [2], "INT8");
    file.constant("zp", { shape: [], values: [3] });
    file.constant("scale", { shape: [], values: [0.25] });
    const centred = sub ? file.node("Sub", "s", ["x", "zp"]) : "x";
    file.output(file.node("Mul", "m", swapped ? ["scale", centred] : [centred, "scale"]), [2]);
    const model = load(file);
    assert.deepEqual(model.nodes.map((node) => node.operator), ["Dequant"]);
    assert.deepEqual(run(model, [4, -5]), [sub ? [0.25, -2] : [1, -1.25]]);
  }
});

Deno.test("an output that is an input, a constant or listed twice becomes a copy", () => {
  const file = new OnnxFile("g");
  file.input("x", [2]);
  file.constant("c", { shape: [1], values: [7] });
  file.node("Relu", "r", ["x"], {}, { outputs: ["y"] });
  for (const name of ["y", "x", "c", "y"]) file.output(name, []);
  const model = load(file);
  assert.equal(new Set(model.outputs).size, 4);
  assert.deepEqual(run(model, [-1, 5]), [[0, 5], [-1, 5], [7], [0, 5]]);
});

Deno.test("all problems are reported, not just the first", () => {
  const file = new OnnxFile("g");
  file.input("x", [4]);
  file.input("n", ["batch", 3]);
  file.constant("w", { shape: [4], values: [0.5, 1, 2, 3] });
  const product = file.node("Mul", "scaled", ["x", "w"]);
  const soft = file.node("Softmax", "soft", [product]);
  const erf = file.node("Erf", "erf", ["x"]);
  const strange = file.node("FancyOp", "fancy", [soft], {}, { domain: "com.example" });
  file.node("Reshape", "shape", ["x", file.constant("s", { shape: [1], values: [5], type: "INT64" })], {}, {
    outputs: ["z"],
  });
  for (const name of [strange, erf, "z", "n"]) file.output(name, []);
  const problems = problemsOf(file.bytes());
  const expected = [
    /input "n": its dimension 0 is dynamic \(called "batch"\).*fixed size/,
    /"scaled" \(Mul\).*holds 0.5, which is not an integer.*quantise/,
    /"shape" \(Reshape\): \[4\] cannot take the shape \[5\]/,
    /operator Softmax: .*not supported; nodes: "soft".*quantise/,
    /operator Erf/,
    /operator FancyOp: .*"fancy".*README/,
  ];
  for (const pattern of expected) {
    assert.ok(problems.some((text) => pattern.test(text)), `${pattern} in ${problems.join("\n")}`);
  }
  assert.equal(problems.length, expected.length);
  assert.throws(() => importModel(file.bytes(), options), (error) => {
    assert.ok(error instanceof ImportError && error instanceof AttoflowError);
    assert.equal(error.problems.length, 6);
    assert.match(error.paragraph, /and 1 more/);
    return true;
  });
});

Deno.test("faults of the graph are named", () => {
  const value = (name: string) => ({
    name,
    type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_value: 1 }] } } },
  });
  const faulty = (graph: Record<string, unknown>) =>
    problemsOf(encodeOnnx({ graph: { input: [value("x")], output: [value("y")], ...graph } })).join("\n");
  const node = (name: string, input: string[], output: string[], op_type = "Relu") => ({
    name,
    op_type,
    input,
    output,
  });
  assert.match(faulty({ node: [] }), /output "y": no node makes it/);
  assert.match(
    faulty({ node: [node("a", ["q"], ["y"])] }),
    /"a" \(Relu\): it reads "q", which nothing makes/,
  );
  assert.match(faulty({ node: [node("a", ["y"], ["y"])] }), /depends on its own output/);
  assert.match(
    faulty({ node: [node("a", ["z"], ["y"]), node("b", ["y"], ["z"])] }),
    /depends on its own output/,
  );
  assert.match(
    faulty({ node: [node("a", ["x"], ["y"]), node("b", ["x"], ["y"])] }),
    /"y", which exists already/,
  );
  assert.match(faulty({ node: [node("a", ["x"], ["y"])], output: [] }), /no outputs/);
  assert.match(faulty({ node: [node("a", [""], ["y"])] }), /input 0 is missing/);
  assert.match(faulty({ node: [node("a", [], ["y"], "MatMul")] }), /input 0 is missing/);
  const many = {
    name: "x",
    type: { tensor_type: { elem_type: 1, shape: { dim: new Array(9).fill({ dim_value: 1 }) } } },
  };
  assert.match(faulty({ node: [node("a", ["x"], ["y"])], input: [many] }), /9 dimensions/);
  const huge = {
    name: "x",
    type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_value: 2 ** 40 }, { dim_value: 0 }] } } },
  };
  assert.match(faulty({ node: [node("a", ["x"], ["y"])], input: [huge] }), /larger than a 32-bit/);
  const text = { name: "x", type: { tensor_type: { elem_type: 8, shape: {} } } };
  assert.match(faulty({ node: [node("a", ["x"], ["y"])], input: [text] }), /element type/);
  assert.match(faulty({ node: [node("a", ["x"], ["y"])], input: [{ name: "x" }] }), /not a tensor/);
  const unknown = { name: "x", type: { tensor_type: { elem_type: 1 } } };
  assert.match(faulty({ node: [node("a", ["x"], ["y"])], input: [unknown] }), /does not say its shape/);
});

Deno.test("faults of constants are named", () => {
  const faulty = (tensor: Record<string, unknown>) =>
    problemsOf(encodeOnnx({
      graph: {
        node: [{ op_type: "Add", input: ["x", "c"], output: ["y"] }],
        initializer: [{ name: "c", ...tensor }],
        input: [{ name: "x", type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_value: 1 }] } } } }],
        output: [{ name: "y" }],
      },
    })).join("\n");
  assert.match(
    faulty({ dims: [3], data_type: 1, float_data: [1, 2] }),
    /"c": its shape \[3\] says 3 elements, but it holds 2/,
  );
  assert.match(faulty({ dims: [3], data_type: 1, raw_data: new Uint8Array(11) }), /11 bytes of FLOAT/);
  assert.match(faulty({ dims: [1], data_type: 1, data_location: 1 }), /data lies in another file.*one file/);
  assert.match(faulty({ dims: [1], data_type: 8 }), /element type/);
  assert.match(faulty({ dims: [-1], data_type: 1 }), /impossible/);
  assert.match(faulty({ dims: [2 ** 40], data_type: 1 }), /larger than a 32-bit/);
  assert.match(faulty({ dims: [1], data_type: 11, double_data: [2 ** 40] }), /does not fit 32 bit/);
  assert.match(faulty({ dims: [1], data_type: 1, float_data: [NaN] }), /not an integer/);
});

Deno.test("hostile names stay mere names", () => {
  const names = ["__proto__", 'x"; rm -rf /', "*/ #include", "a".repeat(4000), "constructor", "\u202e\0\n"];
  const file = new OnnxFile("toString");
  for (const name of names) file.input(name, [1], "INT8");
  let sum = names[0];
  for (const [i, name] of names.slice(1).entries()) {
    sum = file.node("Add", names[i], [sum, name], {}, {
      outputs: [i === names.length - 2 ? "valueOf" : `${name}+`],
    });
  }
  file.output(sum, [1]);
  const model = load(file);
  assert.deepEqual(model.inputs, names);
  assert.deepEqual(run(model, ...names.map(() => [2])), [[12]]);
  const bad = new OnnxFile("g");
  bad.input("x", [1]);
  bad.output(bad.node("x".repeat(5000), "n".repeat(5000), ["x"], {}, { outputs: ["y"] }), []);
  assert.ok(problemsOf(bad.bytes())[0].length < 500);
});
