// Writes the entry and the rounds of inner loops whose checks are made ahead. While such a loop runs, the counter is
// cut down to what the rounds known to be in bounds take at least; what was taken away waits in `rest`. So one
// comparison a round serves the quantum and the bounds.

import type { Expression, Local } from "../../wasm/expression.ts";
import type { FunctionBuilder, Label } from "../../wasm/function.ts";
import { i32, i64 } from "../../wasm/instructions.ts";
import { select } from "../../wasm/expression.ts";
import type { InnerLoop, RoundsCheck } from "./loops.ts";

type Word = Expression<"i32">;
const constant = i32.const;

/** Most rounds that are checked at once, and the share of a memory that they may sweep. */
const mostRounds = 1024, share = 8;

export class RoundsWriter {
  readonly #body: FunctionBuilder;
  readonly #counter: Local<"i64">;
  /** Lowest bit of the cycles in the counter. */
  readonly #shift: bigint;
  readonly #register: (index: number) => Local<"i32">;
  readonly #labels = new Map<InnerLoop, Label>();
  #variables: { rest: Local<"i64">; limit: Local<"i64">; rounds: Local<"i32">; at: Local<"i32"> } | undefined;

  constructor(
    body: FunctionBuilder,
    counter: Local<"i64">,
    shift: number,
    register: (index: number) => Local<"i32">,
  ) {
    this.#body = body;
    this.#counter = counter;
    this.#shift = BigInt(shift);
    this.#register = register;
  }

  get #own() {
    const body = this.#body;
    return this.#variables ??= {
      rest: body.local("i64"),
      limit: body.local("i64"),
      rounds: body.local("i32"),
      at: body.local("i32"),
    };
  }

  /** Label at which a loop's checks are made again. */
  again(loop: InnerLoop): Label {
    return this.#labels.get(loop)!;
  }

  /**
   * Checks as many rounds as go, and cuts the counter down to them.
   *
   * @param again label of the loop around the checks
   * @param refuse leaves the region: not even one round is in bounds
   */
  enter(loop: InnerLoop, again: Label, refuse: () => void): void {
    const body = this.#body, { rest, limit, rounds } = this.#own;
    this.#labels.set(loop, again);
    const many = manyRounds(loop, this.#shift);
    const inBounds = loop.checks.map((check) => this.#inBounds(check, many)).reduce((a, b) => i32.and(a, b));
    // The round that finds the rounds used up counts too.
    body.set(limit, i64.const(BigInt((many - 1) * loop.leastCycles) << this.#shift));
    body.if(
      i32.eqz(inBounds),
      () => {
        body.set(rounds, constant(many));
        for (const check of loop.checks) this.#count(check, refuse);
        const spent = i64.mul(
          i64.extend_i32_u(i32.sub(rounds, constant(1))),
          i64.const(BigInt(loop.leastCycles) << this.#shift),
        );
        body.set(limit, spent);
      },
      undefined,
      false,
    );
    body.set(rest, i64.sub(this.#counter, limit));
    body.set(
      rest,
      select(
        i64.gt_s(rest, i64.const(0n)),
        i64.and(rest, i64.const(-1n << this.#shift)),
        i64.const(0n),
      ),
    );
    body.set(this.#counter, i64.sub(this.#counter, rest));
  }

  /** Undoes the cut of the counter, on the way out of a loop. */
  giveBack(): void {
    this.#body.set(this.#counter, i64.add(this.#counter, this.#own.rest));
  }

  /**
   * At the end of a round: goes back to the checks if the rounds are used up.
   *
   * @param leave leaves the region if the quantum is used up; absent where a quantum cannot end
   */
  repeat(loop: InnerLoop, leave: (() => void) | undefined): void {
    this.#body.if(
      i64.lt_s(this.#counter, i64.const(0n)),
      () => {
        this.giveBack();
        if (leave) this.#body.if(i64.lt_s(this.#counter, i64.const(0n)), leave);
        this.#body.branch(this.again(loop));
      },
      undefined,
      false,
    );
  }

  /** Inside of a round: leaves the region if the quantum is used up. */
  ifUsedUp(leave: () => void): void {
    this.#body.if(
      i64.lt_s(i64.add(this.#counter, this.#own.rest), i64.const(0n)),
      () => {
        this.giveBack();
        leave();
      },
      undefined,
      false,
    );
  }

  /** Condition that a check holds for a number of rounds. */
  #inBounds(check: RoundsCheck, rounds: number): Word {
    const { bounds, offset, bytes, span, up, down, register } = check;
    const room = bounds.size - span - rounds * (up + down);
    if (room < 0) return constant(0);
    const from = i32.add(this.#register(register), constant(offset - bounds.base - rounds * down));
    const shift = bytes >> 1;
    return i32.le_u(
      shift === 0 ? from : i32.rotr(from, constant(shift)),
      constant(room >>> shift),
    );
  }

  /** Lowers the number of rounds to those in which a check holds. */
  #count({ bounds, offset, bytes, span, up, down, register }: RoundsCheck, refuse: () => void): void {
    const body = this.#body, { rounds, at } = this.#own;
    const room = bounds.size - span;
    if (room < 0) return refuse();
    body.set(at, i32.add(this.#register(register), constant(offset - bounds.base)));
    const outside = i32.gt_u(at, constant(room));
    body.if(bytes === 1 ? outside : i32.or(outside, i32.and(at, constant(bytes - 1))), refuse);
    const lower = (possible: Word) => {
      body.set(at, possible);
      body.set(rounds, select(i32.lt_u(at, rounds), at, rounds));
    };
    if (up > 0) lower(i32.div_u(i32.sub(constant(room), at), constant(up)));
    if (down > 0) {
      if (up > 0) body.set(at, i32.add(this.#register(register), constant(offset - bounds.base)));
      lower(i32.div_u(at, constant(down)));
    }
    body.if(i32.eqz(rounds), refuse);
  }
}

/** Rounds that are checked at once, and whose cycles fit the counter. */
function manyRounds({ checks, leastCycles }: InnerLoop, shift: bigint): number {
  const fitting = Number(1n << (62n - shift)) / Math.max(1, leastCycles);
  const most = checks.reduce((rounds, { bounds, up, down }) => {
    const sweep = up + down;
    return sweep === 0 ? rounds : Math.min(rounds, bounds.size / share / sweep);
  }, Math.min(mostRounds, fitting));
  return Math.max(1, Math.floor(most));
}
