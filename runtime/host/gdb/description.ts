// XML that GDB reads at the start: registers, memories, threads.

import { registerNames } from "../../hart/disassemble.ts";
import type { DebugTarget } from "./target.ts";

const pointers = new Set(["sp", "gp", "tp", "s0"]);

/** Registers of an RV32 hart: features org.gnu.gdb.riscv.cpu and .csr. */
export function targetDescription(csrs: readonly string[]): string {
  const cpu = registerNames.map((name, number) => {
    const type = name === "ra" ? "code_ptr" : pointers.has(name) ? "data_ptr" : "int";
    return `<reg name="${name}" bitsize="32" type="${type}" regnum="${number}"/>`;
  });
  const first = registerNames.length;
  // Function calls from GDB must not write these back: some cannot be written, others go on by themselves.
  const system = csrs.map((name, i) =>
    `<reg name="${name}" bitsize="32" type="int" regnum="${first + 1 + i}" group="csr" save-restore="no"/>`
  );
  return xml(
    "target",
    "gdb-target",
    ` version="1.0"`,
    "<architecture>riscv:rv32</architecture>",
    `<feature name="org.gnu.gdb.riscv.cpu">`,
    ...cpu,
    `<reg name="pc" bitsize="32" type="code_ptr" regnum="${first}"/>`,
    "</feature>",
    `<feature name="org.gnu.gdb.riscv.csr">`,
    ...system,
    "</feature>",
  );
}

/** Where there is something to read and write. */
export function memoryMap(memories: DebugTarget["memories"]): string {
  const spans = memories.map(({ start, length, writable }) =>
    `<memory type="${writable ? "ram" : "rom"}" start="0x${start.toString(16)}" length="0x${
      length.toString(16)
    }"/>`
  );
  return xml("memory-map", "memory-map", "", ...spans);
}

/** Harts as threads. */
export function threadList(target: DebugTarget): string {
  const threads = Array.from(
    { length: target.harts },
    (_, hart) =>
      `<thread id="${(hart + 1).toString(16)}" core="${hart}" name="${text(target.nameOf(hart))}">` +
      `${text(target.activityOf(hart))}</thread>`,
  );
  return xml("threads", undefined, "", ...threads);
}

function xml(root: string, type: string | undefined, attributes: string, ...lines: string[]): string {
  const doctype = type ? [`<!DOCTYPE ${root} SYSTEM "${type}.dtd">`] : [];
  return [`<?xml version="1.0"?>`, ...doctype, `<${root}${attributes}>`, ...lines, `</${root}>`, ""].join(
    "\n",
  );
}

function text(words: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return words.replaceAll(/[&<>"]/g, (character) => entities[character]);
}
