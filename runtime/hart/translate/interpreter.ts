// The interpreter tier: a WebAssembly module made from the instruction table that runs interpreted blocks, and
// the loop `run` that picks for each address what runs there: a translated region, an interpreted block, the host.

import { type Instruction, instructions } from "../instructions.ts";
import { call, callIndirect, type Expression, type Local, select } from "../../wasm/expression.ts";
import type { FunctionBuilder, Label } from "../../wasm/function.ts";
import { i32, i64 } from "../../wasm/instructions.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import { isSlow } from "./block.ts";
import {
  amongGuarded,
  charge,
  exit,
  hartRecord,
  header,
  type Layout,
  leavingCost,
  lineBits,
  pageBytes,
  reason,
  rememberedTargets,
  stepRecord,
  type Window,
} from "./layout.ts";
import { guestLoad, guestStore, shortestDivision, toWasm, writeDivision } from "./values.ts";

type Word = Expression<"i32">;
type Variable = Local<"i32">;
const constant = i32.const, zero = constant(0);

/** Index of memory 1, and loads and stores there. */
const own = 1;
const word = (address: Word, offset = 0) => i32.load(address, offset, own);
const byte = (address: Word, offset = 0) => i32.load8_u(address, offset, own);
const counter = (core: Word) => i64.load(core, hartRecord.counter, own);
const setCounter = (core: Word, value: Expression<"i64">) => i64.store(core, value, hartRecord.counter, own);

/** Condition that an aligned access lies in a window. */
export function within(window: Pick<Window, "base" | "size">, address: Word, bytes: 1 | 2 | 4): Word {
  const offset = window.base === 0 ? address : i32.sub(address, constant(window.base));
  if (bytes === 1) return i32.lt_u(offset, constant(window.size));
  // A misaligned offset turns into a huge one.
  const shift = bytes === 2 ? 1 : 2;
  return i32.lt_u(i32.rotr(offset, constant(shift)), constant(window.size >>> shift));
}

/** An unsigned word, shifted. */
const shifted = (amount: Word, bits: number) => i64.shl(i64.extend_i32_u(amount), i64.const(BigInt(bits)));

/** What a division subtracts from the counter beyond its block's charge: its delay, and what it takes the divider for. */
export function divisionCharge(
  { counting: { cycles, shared } }: Layout,
  delay: Local<"i32">,
  hidden: Word | undefined,
): Expression<"i64"> {
  let amount: Expression<"i64"> = i64.const(0n);
  if (hidden !== undefined) {
    const beyond = i32.sub(delay, hidden);
    amount = shifted(select(i32.gt_s(beyond, zero), beyond, zero), cycles);
  }
  if (!shared) return amount;
  return i64.sub(amount, shifted(i32.add(delay, constant(shortestDivision)), shared.offloads));
}

/** What an access that does not reach the usual memory subtracts beyond its block's charge. */
export function unusualAccess({ counting }: Layout, cycles: number): bigint {
  return charge(counting, { cycles, accesses: -1, outside: 1 });
}

const pageBits = Math.log2(pageBytes);

/** Imports of the tiers' modules: `guest` and `own` memories and `regions`, the table of functions. */
export const imports = { module: "e", guest: "g", own: "o", regions: "r" } as const;

/** The guest's memory is as large as addresses reach. Only what is touched is ever backed by the machine. */
export const guestPages = 65536;

/** Gives a module of the tiers its memories. */
export function importMemories(module: ModuleBuilder): void {
  module.importMemory(imports.module, imports.guest, guestPages);
  module.importMemory(imports.module, imports.own, 1);
}

/** Type of a region: takes the address of a hart's record, returns where it left off (see `exit`). */
export const regionType = { parameters: ["i32"], result: "i32" } as const;

/**
 * Makes the interpreter's module. It exports `run(core, interpret)`: runs a hart from its record's pc and returns a
 * `reason`. With `interpret` the first block is interpreted even if a region starts there.
 */
export function interpreterModule(layout: Layout): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  importMemories(module);
  module.importTable(imports.module, imports.regions);
  const region = module.type(regionType);
  const interpret = module.define(
    { parameters: ["i32", "i32"], result: "i32" },
    (body, core, block) => new BlockInterpreter(body, layout, core, block).write(),
  );
  module.define({ parameters: ["i32", "i32"], result: "i32", export: "run" }, (body, core, interpretOnce) => {
    const pc = body.local("i32"), block = body.local("i32"), place = body.local("i32");
    const work = body.local("i32");
    const leave = (why: number) => {
      body.do(i32.store(core, pc, hartRecord.pc, own));
      body.return(constant(why));
    };
    const find = () => {
      body.set(block, zero);
      for (const window of layout.windows.filter(({ code }) => code)) {
        body.if(within(window, pc, 4), () => {
          const offset = i32.sub(pc, constant(window.base));
          const page = i32.shl(i32.shr_u(offset, constant(pageBits)), constant(2));
          body.set(block, word(page, window.pages));
          body.set(block, word(i32.add(block, i32.and(offset, constant(pageBytes - 4)))));
        });
      }
    };
    body.set(pc, word(core, hartRecord.pc));
    body.loop((again) => {
      find();
      body.if(i32.eqz(block), () => leave(reason.unknown));
      body.if(
        i32.and(i32.eqz(interpretOnce), i32.ne(word(block, header.region), zero)),
        () => {
          body.set(place, callIndirect(region, word(block, header.region), core));
          body.if(i32.eq(i32.and(place, constant(3)), constant(exit.interpret)), () => {
            const left = i32.sub(word(block, header.patience), constant(leavingCost));
            body.do(i32.store(block, left, header.patience, own));
            body.if(i32.lt_s(word(block, header.patience), zero), () => {
              body.set(pc, i32.and(place, constant(-4)));
              body.do(i32.store(core, block, hartRecord.poor, own));
              leave(reason.poor);
            });
          });
        },
        () => {
          body.if(word(block, header.slow), () => leave(reason.slow));
          body.set(work, i32.add(work, word(block, header.steps)));
          body.set(place, call(interpret, core, block));
        },
      );
      body.set(pc, i32.and(place, constant(-4)));
      body.set(place, i32.and(place, constant(3)));
      body.set(interpretOnce, i32.eq(place, constant(exit.interpret)));
      body.if(i32.ne(place, constant(exit.checked)), () => {
        body.branchIf(again, i32.ne(place, constant(exit.slow)));
        leave(reason.slow);
      });
      // A checked point: the quantum may end here, and regions start here.
      body.if(i64.lt_s(counter(core), i64.const(0n)), () => leave(reason.quantum));
      body.branchIf(again, i32.eqz(work));
      find();
      body.branchIf(again, i32.eqz(block));
      body.branchIf(again, i32.ne(word(block, header.region), zero));
      body.set(work, i32.sub(word(block, header.patience), work));
      body.do(i32.store(block, work, header.patience, own));
      body.if(i32.lt_s(work, zero), () => leave(reason.hot));
      body.set(work, zero);
      body.branch(again);
    });
  });
  return module.build();
}

/** Writes the function that interprets a block; returns an `exit`. */
class BlockInterpreter {
  readonly #body: FunctionBuilder;
  readonly #layout: Layout;
  readonly #core: Variable;
  readonly #block: Variable;
  readonly #step: Variable;
  readonly #a: Variable;
  readonly #b: Variable;
  readonly #address: Variable;
  readonly #scratch: Variable;
  readonly #end: Variable;

  constructor(body: FunctionBuilder, layout: Layout, core: Variable, block: Variable) {
    this.#body = body;
    this.#layout = layout;
    [this.#core, this.#block] = [core, block];
    this.#step = body.local("i32");
    this.#a = body.local("i32");
    this.#b = body.local("i32");
    this.#address = body.local("i32");
    this.#scratch = body.local("i32");
    this.#end = body.local("i32");
  }

  write(): void {
    const body = this.#body;
    const interpreted = instructions.filter((instruction) => !isSlow(instruction));
    body.set(this.#step, i32.add(this.#block, constant(header.bytes)));
    body.loop((next) => {
      const labels: Label[] = [];
      // One nested block for each operation; the innermost holds the switch, each one is followed by its handler.
      const nest = (i: number): void => {
        if (i === interpreted.length) {
          return body.block((end) => {
            const target = new Map(interpreted.map(({ index }, k) => [index, labels[k]]));
            const all = instructions.map(({ index }) => target.get(index) ?? end);
            body.branchTable(byte(this.#step, stepRecord.operation), all, end);
          });
        }
        body.block((label) => {
          labels[i] = label;
          nest(i + 1);
          if (i + 1 === interpreted.length) this.#finish(word(this.#block, header.end));
          else this.#handle(interpreted[i + 1], next);
        });
        if (i === 0) this.#handle(interpreted[0], next);
      };
      nest(0);
    });
  }

  #register(field: number): Word {
    return word(i32.add(this.#core, byte(this.#step, field)));
  }

  #setRd(value: Word): void {
    this.#body.do(i32.store(i32.add(this.#core, byte(this.#step, stepRecord.rd)), value, 0, own));
  }

  #handle(instruction: Instruction, next: Label): void {
    const body = this.#body, { meaning } = instruction;
    for (const register of instruction.reads) {
      body.set(register === "rs1" ? this.#a : this.#b, this.#register(stepRecord[register]));
    }
    const leaves = {
      rs1: this.#a,
      rs2: this.#b,
      imm: word(this.#step, stepRecord.imm),
      pc: word(this.#step, stepRecord.pc),
      old: this.#scratch,
    };
    switch (meaning.kind) {
      case "compute":
        if (meaning.value.kind === "binary" && instruction.latency === "divide") {
          writeDivision(body, meaning.value.operator, [this.#a, this.#b], this.#address, this.#scratch);
          this.#charge(divisionCharge(this.#layout, this.#scratch, byte(this.#step, stepRecord.extra)));
          this.#setRd(this.#address);
        } else this.#setRd(toWasm(meaning.value, leaves));
        break;
      case "load":
        this.#reach(toWasm(meaning.address, leaves), meaning.bytes, false);
        this.#setRd(guestLoad(meaning.bytes, meaning.signed, this.#address));
        break;
      case "store":
        this.#reach(toWasm(meaning.address, leaves), meaning.bytes, true);
        body.do(guestStore(meaning.bytes, this.#address, toWasm(meaning.value, leaves)));
        break;
      case "atomic":
        this.#reach(toWasm(meaning.address, leaves), 4, true);
        body.set(this.#scratch, guestLoad(4, true, this.#address));
        body.do(guestStore(4, this.#address, toWasm(meaning.value, leaves)));
        this.#setRd(this.#scratch);
        break;
      case "branch":
        body.if(toWasm(meaning.condition, leaves), () => this.#finishAtTarget());
        return this.#finish(word(this.#block, header.end));
      case "jump":
        if (instruction.format === "J") {
          this.#link();
          return this.#finishAtTarget();
        }
        body.set(this.#address, toWasm(meaning.target, leaves));
        body.if(i32.and(this.#address, constant(2)), () => this.#cut());
        this.#link();
        this.#remember();
        return this.#finish(i32.or(this.#address, constant(exit.checked)));
    }
    body.set(this.#step, i32.add(this.#step, constant(stepRecord.bytes)));
    body.branch(next);
  }

  #link(): void {
    this.#setRd(i32.add(word(this.#step, stepRecord.pc), constant(4)));
  }

  /** Sets the address of an access; cuts the block here unless it is plain memory that the access may touch. */
  #reach(address: Word, bytes: 1 | 2 | 4, writes: boolean): void {
    const body = this.#body, { windows } = this.#layout;
    body.set(this.#address, address);
    body.block((reached) => {
      for (const [i, window] of windows.entries()) {
        body.if(within(window, this.#address, bytes), () => {
          const line = i32.shr_u(i32.sub(this.#address, constant(window.base)), constant(lineBits));
          let seen = i32.or(byte(this.#step, stepRecord.seen), constant(1 << i));
          if (writes) {
            body.if(byte(line, window.guarded), () => this.#cut());
            const below = i32.lt_u(this.#address, word(constant(window.free)));
            seen = i32.or(seen, i32.mul(below, constant(amongGuarded)));
          }
          body.do(i32.store8(this.#step, seen, stepRecord.seen, own));
          if (window.memory !== windows[0].memory) {
            const penalty = shifted(byte(this.#step, stepRecord.extra), this.#layout.counting.cycles);
            this.#charge(i64.add(penalty, i64.const(unusualAccess(this.#layout, 0))));
          }
          body.branch(reached);
        });
      }
      this.#cut();
    });
  }

  /** Keeps the target of an indirect jump in the block's list, for the translator. */
  #remember(): void {
    const body = this.#body;
    body.set(this.#scratch, word(this.#block, header.targets));
    body.set(this.#end, i32.add(this.#scratch, constant(rememberedTargets * 4)));
    body.loop((again) => {
      body.block((done) => {
        body.branchIf(done, i32.eq(word(this.#scratch), this.#address));
        body.if(i32.eqz(word(this.#scratch)), () => {
          body.do(i32.store(this.#scratch, this.#address, 0, own));
          body.branch(done);
        });
        body.set(this.#scratch, i32.add(this.#scratch, constant(4)));
        body.branchIf(again, i32.lt_u(this.#scratch, this.#end));
      });
    });
  }

  #charge(amount: Expression<"i64">): void {
    this.#body.do(setCounter(this.#core, i64.sub(counter(this.#core), amount)));
  }

  #finish(place: Word): void {
    this.#charge(i64.load(this.#block, header.charge, own));
    this.#body.return(place);
  }

  #finishAtTarget(): void {
    this.#finish(word(this.#block, header.target));
  }

  /** Ends the block in front of this step, which the slow path executes. */
  #cut(): void {
    this.#charge(i64.load(this.#step, stepRecord.prefix, own));
    this.#body.return(i32.or(word(this.#step, stepRecord.pc), constant(exit.slow)));
  }
}
