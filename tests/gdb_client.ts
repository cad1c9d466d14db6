// A client of the GDB server in this process: packets by hand, over a line that can break.

import assert from "node:assert/strict";
import { buildSoc } from "../runtime/host/build_soc.ts";
import type { Line } from "../runtime/host/gdb/conversation.ts";
import { DebugMachine } from "../runtime/host/gdb/machine.ts";
import { bytesOfHex, encodePacket, hexOfText, PacketReader, wordOfHex } from "../runtime/host/gdb/packets.ts";
import { GdbServer, type Listener, type ServerResult } from "../runtime/host/gdb/server.ts";
import type { SocObserver } from "../runtime/soc/observer.ts";
import type { Image } from "../runtime/image/types.ts";
import { cluster } from "./soc_program.ts";

/** One end of a line in memory. */
class Pipe implements Line {
  readonly #bytes: Uint8Array[] = [];
  #wake: () => void = () => {};
  #isOpen = true;

  constructor(private readonly written: (bytes: Uint8Array) => void, private readonly closed: () => void) {}

  /** The other side has sent something. */
  push(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
    this.#wake();
  }

  /** The other side has gone. */
  end(): void {
    this.#isOpen = false;
    this.#wake();
  }

  get readable(): AsyncIterable<Uint8Array> {
    return this.#read();
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = this.#bytes.shift();
      if (bytes) yield bytes;
      else if (!this.#isOpen) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    if (!this.#isOpen) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
    this.written(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.end();
    this.closed();
  }
}

/** A client. Every wait for an answer ends: the server is in this process. */
export class Client {
  readonly line: Pipe;
  readonly #reader = new PacketReader();
  readonly #packets: string[] = [];
  #wake: () => void = () => {};
  /** Signs and packets in the order of their coming, the packets as their text. */
  readonly heard: string[] = [];
  isClosed = false;

  constructor() {
    this.line = new Pipe((bytes) => this.#hear(bytes), () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  #hear(bytes: Uint8Array): void {
    for (const received of this.#reader.take(bytes)) {
      if (received.kind === "packet") this.#packets.push(received.text);
      this.heard.push(received.kind === "packet" ? received.text : received.kind);
    }
    this.#wake();
  }

  /** Sends bytes as they are. */
  raw(text: string): void {
    this.line.push(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  }

  /** Sends a packet. */
  send(text: string): void {
    this.line.push(encodePacket(text));
  }

  /** The next packet that comes. */
  async receive(): Promise<string> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet !== undefined) return packet;
      assert.ok(!this.isClosed, "the server has closed the line");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Sends a packet and gives its answer; what programs print in between is left out. */
  async ask(text: string): Promise<string> {
    this.send(text);
    return await this.answer();
  }

  /** The next packet that is no text for the console. */
  async answer(): Promise<string> {
    for (;;) {
      const packet = await this.receive();
      if (!/^O[0-9a-f]{2}/.test(packet)) return packet;
      this.console += new TextDecoder().decode(bytesOfHex(packet.slice(1)));
    }
  }

  /** What the server has shown. */
  console = "";

  /** Resolves when the server has let go of the line. */
  async gone(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** A word of memory. */
  async word(address: number): Promise<number> {
    return wordOfHex(await this.ask(`m${address.toString(16)},4`))! >>> 0;
  }

  /** A register of a hart; 32 is the pc. */
  async register(hart: number, number: number): Promise<number> {
    assert.equal(await this.ask(`Hg${(hart + 1).toString(16)}`), "OK");
    return wordOfHex(await this.ask(`p${number.toString(16)}`))! >>> 0;
  }

  /** What a monitor command says. */
  async monitor(command: string): Promise<string> {
    this.console = "";
    assert.equal(await this.ask(`qRcmd,${hexOfText(command)}`), "OK");
    return this.console;
  }
}

/** A server with a program on the cluster. */
export class TestServer {
  readonly said: string[] = [];
  readonly machine: DebugMachine;
  readonly server: GdbServer;
  /** How serving ends. */
  readonly end: Promise<ServerResult>;
  readonly #lines: Line[] = [];
  #wake: () => void = () => {};
  #isClosed = false;
  readonly #abort = new AbortController();

  private constructor(machine: DebugMachine) {
    this.machine = machine;
    this.server = new GdbServer(machine, (line) => this.said.push(line));
    const listener: Listener = { [Symbol.asyncIterator]: () => this.#accept(), close: () => this.#close() };
    this.end = this.server.serve(listener, this.#abort.signal);
    this.end.catch(() => {});
  }

  static async start(image: Image): Promise<TestServer> {
    const decoder = new TextDecoder();
    const made: { server?: TestServer } = {};
    const console = (bytes: Uint8Array) => made.server?.server.print(decoder.decode(bytes, { stream: true }));
    const build = (observer: SocObserver) => buildSoc(cluster, { observer, console });
    return made.server = new TestServer(await DebugMachine.make({ image, build }));
  }

  async *#accept(): AsyncGenerator<Line> {
    for (;;) {
      const line = this.#lines.shift();
      if (line) yield line;
      else if (this.#isClosed) return;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  connect(): Client {
    const client = new Client();
    this.#lines.push(client.line);
    this.#wake();
    return client;
  }

  /** Ends the serving as Ctrl-C at the server's side does. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error("stopped by the test"));
    await this.end.catch(() => {});
  }
}

/** Runs a test with a server and a client. */
export async function withServer(
  image: Image,
  work: (client: Client, server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await TestServer.start(image);
  try {
    await work(server.connect(), server);
  } finally {
    await server.stop();
  }
}
