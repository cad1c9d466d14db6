// Random rv32ima code over the instruction table. A sequence is a tree of items (instructions, loops, skips), so that
// a failing one can be made smaller by leaving items out; whatever is left out, it still ends.

import type { Assembler } from "./assembler.ts";
import {
  branches,
  compute,
  computedJump,
  type Features,
  type Item,
  loopCounters,
  type Mix,
  multiply,
  pointers,
  straightMix,
  writable,
} from "./items.ts";
import type { Random } from "./random.ts";

/** A sequence of about `length` instructions. */
export function makeSequence(random: Random, length: number, features: Features): Item[] {
  const mix = makers(random, features);
  return makeItems(random, length, 0, mix);
}

/** Writes a sequence. */
export function emitItems(items: readonly Item[], code: Assembler): void {
  for (const item of items) item.emit(code, () => emitItems(item.body ?? [], code));
}

function makeItems(random: Random, length: number, depth: number, mix: Mix): Item[] {
  return Array.from({ length }, () => random.weighted(mix)(random, depth));
}

/** All makers, with the weights of one of several flavours. */
function makers(random: Random, features: Features): Mix {
  const heavy = random.below(6);
  const weight = (flavour: number, usual: number) => heavy === flavour ? usual * 8 : usual;
  const mix: Mix = [
    ...straightMix(features, weight),
    [weight(5, 2), (r, depth) => skip(r, depth, mix)],
    [weight(5, 1), (r, depth) => loop(r, depth, mix)],
    [weight(5, 1), (r, depth) => forwardJump(r, depth, mix)],
    [weight(5, 1), computedJump],
  ];
  return mix;
}

function nested(random: Random, depth: number, mix: Mix): Item[] {
  return makeItems(random, 1 + random.below(depth === 0 ? 10 : 4), depth + 1, mix);
}

/** A conditional branch over some items. */
function skip(random: Random, depth: number, mix: Mix): Item {
  if (depth > 2) return compute(random, depth);
  const { name } = random.pick(branches);
  const operands = { rs1: random.below(32), rs2: random.below(32) };
  return {
    body: nested(random, depth, mix),
    emit(code, inside) {
      const end = code.label(false);
      code.branch(name, operands, end);
      inside();
      code.bind(end);
    },
  };
}

/** Some items, done a few times; each depth of loops counts in a register of its own. */
function loop(random: Random, depth: number, mix: Mix): Item {
  const counter = loopCounters[depth];
  if (counter === undefined) return multiply(random, depth);
  const times = 1 + random.below(6);
  return {
    body: nested(random, depth, mix),
    emit(code, inside) {
      code.emit("addi", { rd: counter, rs1: 0, imm: times });
      const start = code.label();
      inside();
      code.emit("addi", { rd: counter, rs1: counter, imm: -1 });
      code.branch("bne", { rs1: counter, rs2: 0 }, start);
    },
  };
}

/** A jal, or an auipc and a jalr, over some items; the link register keeps where it came from. */
function forwardJump(random: Random, depth: number, mix: Mix): Item {
  if (depth > 2) return compute(random, depth);
  const rd = random.pick(writable), pointer = random.pick(pointers), direct = random.oneIn(2);
  // jalr drops bit 0 of the sum, so an odd offset goes to the same place.
  const odd = random.below(2);
  return {
    body: nested(random, depth, mix),
    emit(code, inside) {
      const end = code.label(false);
      if (direct) {
        code.jump(end, rd);
      } else {
        code.address(pointer, end, odd);
        code.emit("jalr", { rd, rs1: pointer, imm: 0 });
      }
      inside();
      code.bind(end);
    },
  };
}
