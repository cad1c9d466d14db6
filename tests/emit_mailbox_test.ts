// mailbox.h and mailbox.ts are the same page in two languages.

import assert from "node:assert/strict";
import {
  mailboxBytes,
  mailboxExit,
  mailboxFields,
  mailboxMagic,
  mailboxOptions,
  mailboxStatus,
  mailboxVersion,
} from "../targets/mailbox.ts";

const header = await Deno.readTextFile(new URL("../targets/mailbox.h", import.meta.url));

function define(name: string): number {
  const value = header.match(new RegExp(`#define ${name} (0x[0-9a-f]+|\\d+)u?\\b`))?.[1];
  assert.ok(value, name);
  return Number(value);
}

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

Deno.test("the fields of struct mailbox lie where mailbox.ts says", () => {
  const body = header.match(/struct mailbox \{(.*?)\n\};/s)![1];
  const words = [...body.matchAll(/uint32_t (\w+)(?:\[(\d+)\])?;/g)];
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const [, name, count] of words) {
    offsets.set(name, offset);
    offset += 4 * Number(count ?? 1);
  }
  assert.equal(offset, mailboxBytes);
  const { reserved: _, ...named } = Object.fromEntries(offsets);
  assert.deepEqual(
    named,
    Object.fromEntries(Object.entries(mailboxFields).map(([name, at]) => [snake(name), at])),
  );
});

Deno.test("the constants are equal", () => {
  assert.equal(define("MAILBOX_BYTES"), mailboxBytes);
  assert.equal(define("MAILBOX_MAGIC"), mailboxMagic);
  assert.equal(define("MAILBOX_VERSION"), mailboxVersion);
  assert.equal(define("MAILBOX_EXIT"), mailboxExit);
  assert.equal(define("MAILBOX_OPTION_PAUSE"), mailboxOptions.pause);
  const states = Object.fromEntries(
    [...header.matchAll(/MAILBOX_(\w+) = (\d+),/g)].map((
      [, name, value],
    ) => [name.toLowerCase(), Number(value)]),
  );
  assert.deepEqual(states, { ...mailboxStatus });
});
