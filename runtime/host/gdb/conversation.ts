// One client of the GDB server: its packets are answered in their order, its Ctrl-C is heard whenever it comes.

import { encodePacket, PacketReader } from "./packets.ts";
import { type Ending, Protocol } from "./protocol.ts";
import type { DebugTarget, Stop } from "./target.ts";

/** A client's line: bytes in, bytes out. A TCP connection is one. */
export interface Line {
  readonly readable: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Packets that may wait for their answer; clients send one and wait. */
const longestQueue = 100;

/** One client. Whatever it sends or however it goes, nothing here fails. */
export class Conversation {
  readonly protocol: Protocol;
  readonly #line: Line;
  readonly #reader = new PacketReader();
  #answers: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Ctrl-C has come behind a packet that is not worked on yet. */
  #isInterrupted = false;
  #last = encodePacket("");
  #isOpen = true;

  /** @param stop why the machine stands still */
  constructor(machine: DebugTarget, stop: Stop, line: Line) {
    this.#line = line;
    this.protocol = new Protocol(machine, stop, (packet) => this.#send(encodePacket(packet)));
  }

  /** Serves the client until it leaves; the machine then stands still. Returns how it left; undefined: the line broke. */
  async hold(): Promise<Ending | undefined> {
    try {
      for await (const bytes of this.#line.readable) {
        for (const received of this.#reader.take(bytes)) {
          if (received.kind === "interrupt") this.#interrupt();
          else if (received.kind === "repeat") this.#send(this.#last);
          else if (received.kind === "bad") this.#acknowledge("-");
          else if (received.kind === "packet") this.#take(received.text);
        }
        if (this.#waiting > longestQueue) break;
      }
    } catch {
      // The line broke, or was closed from here: the same as its end.
    }
    this.protocol.interrupt();
    await this.#answers;
    this.close();
    return this.protocol.ending;
  }

  /** Lets go of the line. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#line.close();
    } catch {
      // It was closed from the other side.
    }
  }

  #interrupt(): void {
    if (this.#waiting > 0) this.#isInterrupted = true;
    else this.protocol.interrupt();
  }

  #take(packet: string): void {
    this.#acknowledge("+");
    this.#waiting++;
    this.#answers = this.#answers.then(async () => {
      this.#waiting--;
      if (this.protocol.ending || !this.#isOpen) return;
      const answering = this.protocol.answer(packet);
      if (this.#isInterrupted && this.#waiting === 0) {
        this.#isInterrupted = false;
        this.protocol.interrupt();
      }
      const answer = await answering;
      if (answer !== undefined) this.#send(this.#last = encodePacket(answer));
      if (!this.protocol.ending) return;
      await this.#sending;
      this.close();
    });
  }

  #acknowledge(sign: "+" | "-"): void {
    if (!this.protocol.quiet) this.#send(Uint8Array.of(sign.charCodeAt(0)));
  }

  #send(bytes: Uint8Array): void {
    this.#sending = this.#sending.then(async () => {
      try {
        for (let at = 0; at < bytes.length && this.#isOpen;) at += await this.#line.write(bytes.subarray(at));
      } catch {
        this.close();
      }
    });
  }
}
