// The GDB remote serial protocol without the line it comes over: a packet in, the text of the answer out.
// All-stop: when one hart stops, all have stopped. Harts are threads 1, 2, … of one process.

import { memoryMap, targetDescription, threadList } from "./description.ts";
import { bytesOfHex, hexOfBytes, hexOfText, hexOfWord, longestPacket, wordOfHex } from "./packets.ts";
import { breakKinds, type DebugTarget, type HartAction, type Stop } from "./target.ts";

/** Errors: nothing at an address; an argument that makes no sense; a register that is not there. */
const noMemory = "E01", badArgument = "E02", noRegister = "E03";
const pcNumber = 32, stackPointer = 2;
/** Bytes that one answer can hold as hexadecimal digits. */
const longestRead = (longestPacket - 16) / 2;

/** How a client has left. */
export type Ending = "detached" | "killed" | "exited";

/** One client's conversation with a machine. */
export class Protocol {
  /** Set when the client is to be let go of. */
  ending: Ending | undefined;
  /** Whether the client has asked that packets be not acknowledged. */
  quiet = false;
  /** Whether the machine runs. */
  running = false;

  readonly #target: DebugTarget;
  readonly #output: (packet: string) => void;
  #stop: Stop;
  /** Hart that registers and memory are asked of; and threads that c and s go to, -1 for all. */
  #hart: number;
  #moving = -1;
  #knowsBreakReasons = false;

  /**
   * @param stop why the machine stands still
   * @param output sends a packet that is no answer, while the machine runs or a command is worked on
   */
  constructor(target: DebugTarget, stop: Stop, output: (packet: string) => void) {
    this.#target = target;
    this.#stop = stop;
    this.#hart = stop.kind === "stop" ? stop.hart : 0;
    this.#output = output;
  }

  /** Why the machine stands still, or stood still before it ran. */
  get stop(): Stop {
    return this.#stop;
  }

  /** Shows text on the client's console; only while the machine runs. */
  print(text: string): void {
    if (this.running && text !== "") this.#output(`O${hexOfText(text)}`);
  }

  /** The client has sent Ctrl-C. */
  interrupt(): void {
    if (this.running) this.#target.interrupt();
  }

  /** Answers a packet. An empty answer says that the packet is not known; undefined, that there is none. */
  async answer(packet: string): Promise<string | undefined> {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case "?":
        return this.#describeStop();
      case "g":
        return this.#readRegisters();
      case "G":
        return this.#writeRegisters(rest);
      case "p":
        return this.#readRegister(rest);
      case "P":
        return this.#writeRegister(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
      case "X":
        return this.#writeMemory(packet[0], rest);
      case "Z":
      case "z":
        return this.#breakpoint(packet[0], rest);
      case "H":
        return this.#chooseHart(rest);
      case "T":
        return this.#hartOf(rest) === undefined ? badArgument : "OK";
      case "c":
      case "s":
      case "C":
      case "S":
        return await this.#resumeOld(packet);
      case "v":
        return await this.#verbose(packet);
      case "q":
      case "Q":
        return await this.#query(packet);
      case "D":
        this.ending = "detached";
        return "OK";
      case "k":
        this.ending = "killed";
        return undefined;
    }
    return "";
  }

  #describeStop(): string {
    const stop = this.#stop;
    if (stop.kind === "exit") return `W${hexOfBytes([stop.code & 0xff])}`;
    const { hart, signal, reason, address } = stop;
    const watches = { write: "watch", read: "rwatch", access: "awatch" } as const;
    const because = reason === undefined
      ? ""
      : reason === "software" || reason === "hardware"
      ? this.#knowsBreakReasons ? `${reason === "software" ? "swbreak" : "hwbreak"}:;` : ""
      : `${watches[reason]}:${(address! >>> 0).toString(16)};`;
    const registers = [stackPointer, pcNumber].map((number) =>
      `${hexOfBytes([number])}:${hexOfWord(this.#target.readRegister(hart, number) ?? 0)};`
    );
    return `T${hexOfBytes([signal])}${because}thread:${(hart + 1).toString(16)};core:${hart.toString(16)};` +
      registers.join("");
  }

  /** Hart of a thread's number in hexadecimal digits; 0 stands for any. */
  #hartOf(digits: string): number | undefined {
    if (!/^[0-9a-f]{1,4}$/i.test(digits)) return undefined;
    const thread = parseInt(digits, 16);
    if (thread === 0) return this.#hart;
    return thread <= this.#target.harts ? thread - 1 : undefined;
  }

  #chooseHart(rest: string): string {
    const which = rest[0], digits = rest.slice(1);
    const hart = digits === "-1" ? -1 : this.#hartOf(digits);
    if (hart === undefined || (which !== "g" && which !== "c")) return badArgument;
    if (which === "c") this.#moving = digits === "0" ? -1 : hart;
    else if (hart >= 0) this.#hart = hart;
    return "OK";
  }

  // ---- Registers and memory

  get #registerCount(): number {
    return pcNumber + 1 + this.#target.csrs.length;
  }

  #registerText(number: number): string {
    const value = this.#target.readRegister(this.#hart, number);
    return value === undefined ? "xxxxxxxx" : hexOfWord(value);
  }

  #readRegisters(): string {
    return Array.from({ length: this.#registerCount }, (_, number) => this.#registerText(number)).join("");
  }

  /** Takes x0 … x31 and pc; CSRs are written one by one only. */
  #writeRegisters(rest: string): string {
    const words = Array.from({ length: pcNumber + 1 }, (_, i) => wordOfHex(rest.slice(8 * i, 8 * i + 8)));
    if (words.some((word) => word === undefined)) return badArgument;
    const isDone = words.map((word, number) => this.#target.writeRegister(this.#hart, number, word!));
    return isDone.every(Boolean) ? "OK" : noRegister;
  }

  #readRegister(rest: string): string {
    const number = number16(rest);
    if (number === undefined) return badArgument;
    return number < this.#registerCount ? this.#registerText(number) : noRegister;
  }

  #writeRegister(rest: string): string {
    const [left, right] = rest.split("=");
    const number = number16(left), value = wordOfHex(right ?? "");
    if (number === undefined || value === undefined) return badArgument;
    const isThere = number < this.#registerCount;
    return isThere && this.#target.writeRegister(this.#hart, number, value) ? "OK" : noRegister;
  }

  #readMemory(rest: string): string {
    const span = spanOf(rest);
    if (!span) return badArgument;
    const bytes = this.#target.readMemory(span.address, Math.min(span.length, longestRead));
    return bytes.length === 0 && span.length > 0 ? noMemory : hexOfBytes(bytes);
  }

  #writeMemory(kind: string, rest: string): string {
    const colon = rest.indexOf(":"), data = rest.slice(colon + 1);
    const span = spanOf(rest.slice(0, Math.max(0, colon)));
    const bytes = kind === "M" ? bytesOfHex(data) : Uint8Array.from(data, (byte) => byte.charCodeAt(0));
    if (!span || !bytes || bytes.length !== span.length) return badArgument;
    return this.#target.writeMemory(span.address, bytes) ? "OK" : noMemory;
  }

  #breakpoint(which: string, rest: string): string {
    const kind = parseInt(rest[0]), span = rest[1] === "," ? spanOf(rest.slice(2).split(";")[0]) : undefined;
    if (!Object.values<number>(breakKinds).includes(kind)) return "";
    if (!span) return badArgument;
    const { address, length } = span;
    const done = which === "Z"
      ? this.#target.insert(kind, address, length)
      : this.#target.remove(kind, address, length);
    return done ? "OK" : noMemory;
  }

  // ---- Going on

  async #resume(actions: readonly HartAction[]): Promise<string> {
    if (actions.every(({ kind }) => kind === "hold")) return badArgument;
    this.running = true;
    const stop = this.#stop = await this.#target.resume(actions);
    if (stop.kind === "stop") {
      this.#hart = stop.hart;
      if (stop.text) this.print(`${stop.text}\n`);
    } else this.ending = "exited";
    this.running = false;
    return this.#describeStop();
  }

  /** c, s, C and S: a signal that is passed on lets the hart take its trap. */
  #resumeOld(packet: string): Promise<string> | string {
    const takesSignal = packet[0] === "C" || packet[0] === "S";
    const [signal, address] = takesSignal ? packet.slice(1).split(";") : ["", packet.slice(1)];
    if (takesSignal && number16(signal) === undefined) return badArgument;
    const kind = packet[0].toLowerCase() === "s" ? "step" : "continue";
    const hart = this.#moving < 0 ? this.#hart : this.#moving;
    if (address) {
      const pc = number16(address);
      if (pc === undefined || !this.#target.writeRegister(hart, pcNumber, pc)) return badArgument;
    }
    return this.#resume(Array.from({ length: this.#target.harts }, (_, each): HartAction => {
      if (each === hart) return { kind, takeTrap: takesSignal };
      return { kind: this.#moving < 0 ? "continue" : "hold" };
    }));
  }

  #verbose(packet: string): Promise<string> | string {
    if (packet === "vCont?") return "vCont;c;C;s;S;r";
    if (packet.startsWith("vCont;")) {
      const actions = this.#actionsOf(packet.slice(6));
      return actions ? this.#resume(actions) : badArgument;
    }
    if (packet.startsWith("vKill")) {
      this.ending = "killed";
      return "OK";
    }
    return "";
  }

  /** The first action that names a hart, or no hart, is that hart's. Harts without one stand still. */
  #actionsOf(text: string): HartAction[] | undefined {
    const actions: HartAction[] = Array.from({ length: this.#target.harts }, () => ({ kind: "hold" }));
    const isOpen = actions.map(() => true);
    for (const part of text.split(";")) {
      const [what, thread] = part.split(":");
      const action = actionOf(what);
      const hart = thread === undefined || thread === "-1" ? -1 : this.#hartOf(thread);
      if (!action || hart === undefined) return undefined;
      for (let each = 0; each < actions.length; each++) {
        if (!isOpen[each] || (hart >= 0 && hart !== each)) continue;
        actions[each] = action;
        isOpen[each] = false;
      }
    }
    return actions;
  }

  // ---- Queries

  async #query(packet: string): Promise<string> {
    const [name] = packet.split(/[:,]/, 1);
    const target = this.#target;
    switch (name) {
      case "qSupported":
        this.#knowsBreakReasons = /swbreak\+/.test(packet);
        return `PacketSize=${
          longestPacket.toString(16)
        };QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;` +
          "qXfer:features:read+;qXfer:threads:read+;qXfer:memory-map:read+";
      case "QStartNoAckMode":
        this.quiet = true;
        return "OK";
      case "qAttached":
        // The machine was there before the client: it is let go of, not ended, when the client leaves.
        return "1";
      case "qC":
        return `QC${(this.#hart + 1).toString(16)}`;
      case "qfThreadInfo":
        return `m${Array.from({ length: target.harts }, (_, hart) => (hart + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo": {
        const hart = this.#hartOf(packet.slice(name.length + 1));
        return hart === undefined
          ? badArgument
          : hexOfText(`${target.nameOf(hart)}: ${target.activityOf(hart)}`);
      }
      case "qRcmd":
        return await this.#monitor(packet.slice(name.length + 1));
      case "qXfer":
        return this.#transfer(packet.slice(name.length + 1));
    }
    return "";
  }

  async #monitor(digits: string): Promise<string> {
    const bytes = bytesOfHex(digits);
    if (!bytes) return badArgument;
    const text = await this.#target.monitor(new TextDecoder().decode(bytes));
    const encoded = hexOfText(text.endsWith("\n") || text === "" ? text : `${text}\n`);
    const piece = longestPacket - 16;
    for (let at = 0; at < encoded.length; at += piece) this.#output(`O${encoded.slice(at, at + piece)}`);
    return "OK";
  }

  /** qXfer: `object:read:annex:offset,length`, of a text that may not fit into one packet. */
  #transfer(request: string): string {
    const [object, verb, annex, place] = request.split(":");
    const span = spanOf(place ?? "");
    if (verb !== "read" || !span) return "";
    const text = object === "features" && annex === "target.xml"
      ? targetDescription(this.#target.csrs)
      : object === "threads" && annex === ""
      ? threadList(this.#target)
      : object === "memory-map" && annex === ""
      ? memoryMap(this.#target.memories)
      : undefined;
    if (text === undefined) return "E00";
    const bytes = new TextEncoder().encode(text);
    const end = span.address + Math.min(span.length, longestPacket / 2);
    const piece = String.fromCharCode(...bytes.subarray(span.address, end));
    return `${end < bytes.length ? "m" : "l"}${piece}`;
  }
}

function actionOf(text: string): HartAction | undefined {
  const range = /^r([0-9a-f]{1,8}),([0-9a-f]{1,8})$/i.exec(text);
  if (range) return { kind: "range", start: parseInt(range[1], 16), end: parseInt(range[2], 16) };
  const action = /^([cs]|[CS]([0-9a-f]{2}))$/i.exec(text);
  if (!action || (action[2] === undefined) !== (text[0] === text[0].toLowerCase())) return undefined;
  const kind = text[0].toLowerCase() === "s" ? "step" : "continue";
  const signal = action[2] === undefined ? 0 : parseInt(action[2], 16);
  return { kind, takeTrap: signal !== 0 };
}

/** `address,length` in hexadecimal digits. */
function spanOf(text: string): { address: number; length: number } | undefined {
  const parts = text.split(",");
  const [address, length] = parts.map(number16);
  if (parts.length !== 2 || address === undefined || length === undefined) return undefined;
  return { address, length };
}

/** A number of up to 32 bits in hexadecimal digits. */
function number16(digits: string): number | undefined {
  return /^[0-9a-f]{1,8}$/i.test(digits) ? parseInt(digits, 16) : undefined;
}
