// Packets of GDB's protocol: framing, escapes, checksums, and bytes that are none of it.

import assert from "node:assert/strict";
import {
  bytesOfHex,
  encodePacket,
  hexOfBytes,
  hexOfWord,
  longestPacket,
  PacketReader,
  type Received,
  wordOfHex,
} from "../runtime/host/gdb/packets.ts";
import { Random } from "./isa/random.ts";

function read(text: string, reader = new PacketReader()): Received[] {
  return [...reader.take(Uint8Array.from(text, (character) => character.charCodeAt(0)))];
}

Deno.test("packets, signs and Ctrl-C are told apart", () => {
  assert.deepEqual(read("+$g#67-\x03$#00"), [
    { kind: "acknowledged" },
    { kind: "packet", text: "g" },
    { kind: "repeat" },
    { kind: "interrupt" },
    { kind: "packet", text: "" },
  ]);
  assert.deepEqual(read("noise$OK#9a"), [{ kind: "packet", text: "OK" }]);
});

Deno.test("damaged packets are bad, and what follows is not", () => {
  for (const damaged of ["$g#68", "$g#zz", "$OK#9b", "$}\x03#81"]) {
    assert.deepEqual(read(`${damaged}$g#67`).map(({ kind }) => kind), ["bad", "packet"], damaged);
  }
  assert.deepEqual(read("$lost the end$g#67"), [{ kind: "packet", text: "g" }]);
  const long = encodePacket("x".repeat(longestPacket + 1));
  assert.deepEqual([...new PacketReader().take(long)], [{ kind: "bad" }]);
  const fits = encodePacket("x".repeat(longestPacket));
  assert.equal([...new PacketReader().take(fits)][0].kind, "packet");
});

Deno.test("any bytes come through, in whatever pieces", () => {
  const random = new Random(7);
  for (let round = 0; round < 50; round++) {
    const text = Array.from({ length: random.below(300) }, () => String.fromCharCode(random.below(256))).join(
      "",
    );
    const bytes = encodePacket(text), reader = new PacketReader();
    const received: Received[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + random.below(20);
      received.push(...reader.take(bytes.subarray(at, end)));
      at = end;
    }
    assert.deepEqual(received, [{ kind: "packet", text }]);
  }
});

Deno.test("no bytes make the reader fail", () => {
  const random = new Random(8), reader = new PacketReader();
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from({ length: 200 }, () => "$#}+-\x03*ab0f"[random.below(11)].charCodeAt(0));
    for (const received of reader.take(bytes)) assert.ok(received.kind.length > 0);
  }
  assert.deepEqual(read("#00$g#67", reader).at(-1), { kind: "packet", text: "g" });
});

Deno.test("words and bytes in hexadecimal digits", () => {
  assert.equal(hexOfWord(0x8000_0001 | 0), "01000080");
  assert.equal(wordOfHex("01000080"), 0x8000_0001 | 0);
  assert.equal(wordOfHex("0100008"), undefined);
  assert.equal(wordOfHex("0100008x"), undefined);
  assert.equal(hexOfBytes([0, 255, 16]), "00ff10");
  assert.deepEqual(bytesOfHex("00ff10"), Uint8Array.of(0, 255, 16));
  assert.equal(bytesOfHex("0"), undefined);
  assert.equal(bytesOfHex("0g"), undefined);
});
