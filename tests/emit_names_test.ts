// Names from a model file in C: identifiers, comments and strings that cannot be broken out of.

import assert from "node:assert/strict";
import { identifier, identifiers, text } from "../src/emit/names.ts";

const hostile = [
  '"; rm -rf /',
  "*/ #include <evil.h> /*",
  "x".repeat(4000),
  "naïve\u202egnissalc/\u0000",
  "line\nbreak\\\n#error",
  "$(shell touch /tmp/x)",
  "??/",
  "int",
  "0",
  "",
  "_",
  "../../etc/passwd",
  "%s%n",
  "𝒳",
];

Deno.test("every name becomes a short C identifier", () => {
  for (const name of hostile) {
    const made = identifier(name);
    assert.match(made, /^[a-z][a-z0-9_]*$/, name);
    assert.equal(made.length <= 42, true);
  }
  assert.equal(identifier("Encoder/Layer.0:Output"), "encoder_layer_0_output");
  assert.notEqual(identifier("while"), "while");
});

Deno.test("identifiers of different names differ", () => {
  const names = [...hostile, "a b", "a-b", "A B", "a_b", "a_b_no1"];
  for (let i = 0; i < 30; i++) names.unshift(`a_b_no${i}`);
  assert.equal(new Set(identifiers(names)).size, names.length);
});

Deno.test("text for comments and strings is one line of plain ASCII that ends neither", () => {
  for (const name of hostile) {
    const made = text(name);
    assert.match(made, /^[ -~]*$/);
    assert.doesNotMatch(made, /"|\\|\*\/|\/\*|\?\?/);
    assert.equal(made.length <= 80, true);
  }
});
