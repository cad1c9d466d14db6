// A machine for tests of the session: flat memory and a program that serves the mailbox, without any RISC-V.
// The network on it has two layers: doubled = 2 * x, sum = doubled + b.

import { mailboxFields, mailboxMagic, mailboxStatus } from "../targets/mailbox.ts";
import type { Manifest, ManifestTensor } from "../targets/manifest.ts";
import { loadTarget } from "../targets/load.ts";
import type { Transport, Wake } from "../runtime/host/transport.ts";

const base = 0x8000_0000;
const place = { mailbox: 0, x: 0x100, b: 0x200, doubled: 0x300, sum: 0x400, layerCycles: 0x500 };
const elements = 6;

function tensor(
  name: keyof typeof place,
  dtype: "int8" | "int32",
  range: { min: number; max: number },
): ManifestTensor {
  const bytes = elements * (dtype === "int8" ? 1 : 4);
  return { name, dtype, shape: [2, 3], address: base + place[name], bytes, range };
}

/** Manifest of the test network; `name` of the first input can be chosen. */
export async function testManifest(): Promise<Manifest> {
  const layer = (index: number, node: string, operator: string, output: ManifestTensor) => ({
    index,
    node,
    operator,
    engine: "cores",
    macs: 6,
    estimatedCycles: 100,
    outputs: [output],
  });
  const wide = { min: -1000, max: 1000 };
  return {
    format: 1,
    model: "double and add",
    files: { elf: "image.elf", bin: "image.bin", hex: "image.hex", model: "model.onnx" },
    target: { ...await loadTarget("snitch-ita") },
    compiler: "none",
    import: { sha256: "", softmaxShift: 0, inputTypes: {} },
    inputs: [tensor("x", "int8", { min: -100, max: 100 }), tensor("b", "int32", wide)],
    outputs: [tensor("sum", "int32", wide)],
    layers: [
      layer(0, "double", "Mul", tensor("doubled", "int32", wide)),
      layer(1, "add", "Add", tensor("sum", "int32", wide)),
    ],
    macs: 12,
    parameters: 0,
    memories: [],
    plan: [],
    symbols: { attoflow_mailbox: base + place.mailbox },
  };
}

/** What the machine does wrong on purpose. */
export type Misbehaviour =
  | "none"
  | "hangs"
  | "exits"
  | "fails"
  | "never ready"
  | "wrong layers"
  | "wrong sum";

/** The machine. It makes one step of its program in each wait, so the session sees every state there is. */
export class TestMachine implements Transport {
  readonly name = "test machine";
  readonly #memory = new DataView(new ArrayBuffer(0x1000));
  #step: "boot" | "idle" | "layer 0" | "layer 1" | "finish" | "ended" = "boot";
  #command = 0;
  closed = false;
  exited = false;

  constructor(private readonly misbehaviour: Misbehaviour = "none") {}

  load(): Promise<void> {
    return Promise.resolve();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  read(address: number, bytes: number): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#memory.buffer.slice(address - base, address - base + bytes)));
  }

  write(address: number, data: Uint8Array): Promise<void> {
    new Uint8Array(this.#memory.buffer).set(data, address - base);
    return Promise.resolve();
  }

  describe(): Promise<string> {
    return Promise.resolve("the one hart is in network_run");
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  wait(): Promise<Wake> {
    return Promise.resolve(this.#run());
  }

  #run(): Wake {
    const wake: Wake = { reason: "write", cycles: 10 };
    if (this.misbehaviour === "never ready") return { reason: "limit", cycles: 10 };
    switch (this.#step) {
      case "boot":
        this.#set("version", 1);
        this.#set("layerCycles", base + place.layerCycles);
        this.#set("layerCount", this.misbehaviour === "wrong layers" ? 7 : 2);
        this.#set("status", mailboxStatus.ready);
        this.#set("magic", mailboxMagic);
        this.#step = "idle";
        return wake;
      case "idle":
        if (this.#get("command") === 0xffff_ffff) {
          this.#step = "ended";
          this.exited = true;
          return { reason: "exit", exitCode: 0, cycles: 10 };
        }
        if (this.#get("command") === this.#get("sequence")) return { reason: "limit", cycles: 10 };
        this.#command = this.#get("command");
        this.#set("layer", 0);
        this.#set("status", mailboxStatus.running);
        this.#step = "layer 0";
        return wake;
      case "layer 0":
        if (this.misbehaviour === "hangs") return { reason: "limit", cycles: 10 };
        if (this.misbehaviour === "exits") return { reason: "exit", exitCode: 9, cycles: 10 };
        if (this.misbehaviour === "fails") {
          this.#set("error", 2 << 24 | 1 << 16 | 5);
          this.#set("errorAddress", base + 0x1234);
          this.#set("status", mailboxStatus.failed);
          return wake;
        }
        this.#each((i) =>
          this.#memory.setInt32(place.doubled + 4 * i, 2 * this.#memory.getInt8(place.x + i), true)
        );
        this.#end(1, 40, "layer 1");
        return wake;
      case "layer 1":
        if (this.#get("options") === 1 && this.#get("resume") !== 1) return { reason: "limit", cycles: 10 };
        this.#set("status", mailboxStatus.running);
        this.#each((i) => {
          const sum = this.#memory.getInt32(place.doubled + 4 * i, true) +
            this.#memory.getInt32(place.b + 4 * i, true) +
            (this.misbehaviour === "wrong sum" && i === 4 ? 3 : 0);
          this.#memory.setInt32(place.sum + 4 * i, sum, true);
        });
        this.#end(2, 100, "finish");
        return wake;
      case "finish":
        if (this.#get("options") === 1 && this.#get("resume") !== 2) return { reason: "limit", cycles: 10 };
        this.#set("cyclesLow", 123);
        this.#set("cyclesHigh", 1);
        this.#set("sequence", this.#command);
        this.#set("status", mailboxStatus.done);
        this.#step = "idle";
        return wake;
      case "ended":
        return { reason: "exit", exitCode: 0, cycles: 0 };
    }
  }

  #end(layer: number, cycles: number, next: "layer 1" | "finish") {
    this.#memory.setUint32(place.layerCycles + 4 * (layer - 1), cycles, true);
    this.#set("layer", layer);
    if (this.#get("options") === 1) this.#set("status", mailboxStatus.paused);
    this.#step = next;
  }

  #each(action: (i: number) => void) {
    for (let i = 0; i < elements; i++) action(i);
  }

  #get(field: keyof typeof mailboxFields): number {
    return this.#memory.getUint32(place.mailbox + mailboxFields[field], true);
  }

  #set(field: keyof typeof mailboxFields, value: number) {
    this.#memory.setUint32(place.mailbox + mailboxFields[field], value, true);
  }
}
