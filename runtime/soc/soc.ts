// The SoC: harts, memories, buses and devices of a target, wired together. The constructor is the block diagram; who
// takes a turn when is in cycle_clock.ts, and in fast_harts.ts for fast timing.

import { AttoflowError } from "../../targets/errors.ts";
import { Dma } from "../../targets/engines/dma/device.ts";
import { hartCount, memoryOf, peripheralOf } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import { CodeCache } from "../hart/code.ts";
import { Control } from "../hart/control.ts";
import { disassemble } from "../hart/disassemble.ts";
import { InstructionCache } from "../hart/instruction_cache.ts";
import { LoadStoreUnits } from "../hart/load_store.ts";
import { OffloadUnits } from "../hart/offload.ts";
import type { HartEnvironment } from "../hart/outward.ts";
import { Pipeline } from "../hart/pipeline.ts";
import { HartState, running } from "../hart/state.ts";
import { WriteBack } from "../hart/write_back.ts";
import { describeAddress } from "../image/symbols.ts";
import type { Image } from "../image/types.ts";
import { MemoryAccess } from "./access.ts";
import { bootFromRom } from "./boot_rom.ts";
import { type Counters, readCounters } from "./counters.ts";
import { CycleClock } from "./cycle_clock.ts";
import { ClusterRegisters, entryScratch } from "./cluster_registers.ts";
import type { Accelerator, AcceleratorContext } from "./device.ts";
import type { RunOptions, RunResult, SocOptions } from "./options.ts";
import type { EngineParts, HartEngine, Ticking } from "./engine.ts";
import { fetchedCode } from "./fetched_code.ts";
import { GuestFault, unhandledTrap } from "./fault.ts";
import { HostAccess } from "./host_access.ts";
import { watchHtif } from "./htif.ts";
import { InterruptLines } from "./interrupts.ts";
import { MemoryMap } from "./memory_map.ts";
import { NarrowPath } from "./narrow_path.ts";
import type { SocObserver } from "./observer.ts";
import { Clint, Finisher, Uart } from "./peripherals.ts";
import { type HartStatistics, hartStatistics, metricOf } from "./statistics.ts";
import { Tcdm } from "./tcdm.ts";
import { TestBench, testBenchBase, testBenchSize } from "./test_bench.ts";
import { WideBus } from "./wide_bus.ts";
import { transfer } from "./xdma.ts";

export type { RunOptions, RunResult, SocOptions } from "./options.ts";

/** A mask of all harts. */
const allOf = (harts: number) => harts >= 32 ? -1 : (1 << harts) - 1;
/** In place of the address that ended a run: an observer has ended it. */
const stopped = -1;

/** An emulated SoC. One instance runs one program. */
export class Soc {
  readonly target: Target;
  readonly #map: MemoryMap;
  readonly #state: HartState;
  readonly #loadStore: LoadStoreUnits;
  readonly #offload: OffloadUnits;
  readonly #code: CodeCache;
  readonly #access: MemoryAccess;
  readonly #engine: HartEngine | undefined;
  readonly #control: Control;
  readonly #lines: InterruptLines;
  readonly #pipeline: Pipeline;
  readonly #cache: InstructionCache | undefined;
  readonly #tcdm: Tcdm | undefined;
  readonly #narrow: NarrowPath;
  readonly #dma: Dma | undefined;
  readonly #accelerator: Accelerator | undefined;
  readonly #clint: Clint | undefined;
  readonly #cluster: ClusterRegisters | undefined;
  readonly #bench: TestBench | undefined;
  readonly #host: HostAccess;
  readonly #console: (text: Uint8Array) => void;
  readonly #clock: CycleClock;
  readonly #observer: SocObserver | undefined;

  #image: Image | undefined;
  #exitCode: number | undefined;
  #stop: number | undefined;

  /**
   * Builds the SoC that a target describes.
   *
   * @throws {AttoflowError} if the target has something that the emulator cannot serve
   */
  constructor(target: Target, options: SocOptions = {}) {
    this.target = target;
    this.#console = options.console ?? (() => {});
    const observer = this.#observer = options.observer;
    const harts = hartCount(target);
    const { core } = target.harts;
    if (harts > 32) throw new AttoflowError("the emulator serves at most 32 harts", { where: target.name });

    // Memories and harts.
    const engine = this.#engine = options.engine;
    if (engine && observer) throw new AttoflowError("only the exact emulator can be observed");
    const map = this.#map = new MemoryMap(target, engine?.space);
    const outside = map.find(memoryOf(target, "l2").base)!;
    this.#state = new HartState(harts, engine?.registers(harts));
    this.#loadStore = new LoadStoreUnits(harts, map.regions);
    this.#offload = new OffloadUnits(harts, core.multiplier === "shared");
    this.#code = new CodeCache(
      fetchedCode(map, () => this.#access, engine),
      core.instructionCache?.lineBytes ?? 64,
    );
    this.#access = new MemoryAccess(this.#state, this.#loadStore, map, engine ?? this.#code);
    this.#host = new HostAccess(map, this.#access, () => this.#clock.cycle, target.name);
    const dmaHart = target.harts.dma ? harts - 1 : -1;
    this.#control = new Control(this.#state, core.csrs, dmaHart);
    this.#lines = new InterruptLines(this.#control, () => engine ?? this.#pipeline);
    if (core.instructionCache) {
      this.#cache = new InstructionCache(harts, core.instructionCache, outside.latency);
    }
    const features = {
      outstandingLoads: core.outstandingLoads,
      outstandingMemory: core.outstandingMemory,
      trapMisaligned: core.misaligned === "trap",
      barrier: target.harts.barrier === "csr",
      dmaHart,
    };
    const environment: HartEnvironment = {
      find: (address) => map.find(address),
      checkTrap: (hart, cause, pc) => this.#checkTrap(hart, cause, pc),
      transfer: (hart, action, a, b, cycle) =>
        this.#dma
          ? transfer(this.#dma, action, a, b, cycle)
          : this.#fail("uses Xdma, and the target has no DMA engine", hart),
      fail: (hart, what) => this.#fail(what, hart),
    };
    const parts = {
      state: this.#state,
      control: this.#control,
      loadStore: this.#loadStore,
      offload: this.#offload,
      writeBack: new WriteBack(this.#state, this.#loadStore, this.#offload),
    };
    this.#pipeline = new Pipeline({ ...parts, cache: this.#cache }, this.#code, features, environment);

    // Interconnect: harts to TCDM, harts to the outside, DMA and accelerator to TCDM.
    const granted = (hart: number, cycle: number, ready: number) =>
      this.#pipeline.granted(hart, cycle, ready);
    const l1 = target.memories.find((memory) => memory.role === "l1");
    if (l1) this.#tcdm = new Tcdm(l1, map.find(l1.base)!, harts, this.#loadStore, this.#access, granted);
    this.#narrow = new NarrowPath(harts, this.#loadStore, this.#access, granted);
    const fail = (message: string) => this.#fail(message, dmaHart < 0 ? undefined : dmaHart);
    const wide = new WideBus(map, this.#tcdm, this.#access, options.testbench ?? false, fail);
    const moved = (...done: Parameters<NonNullable<SocObserver["transfer"]>>) => {
      options.transfer?.(...done);
      observer?.transfer?.(...done);
    };
    if (target.dma && dmaHart >= 0) this.#dma = new Dma(target.dma, wide, moved);

    // Devices.
    const exit = (code: number) => this.#exit(code);
    const send = (byte: number) => this.#console(Uint8Array.of(byte));
    for (const { name, kind, base, size, stride } of target.peripherals) {
      const add = (device: Parameters<MemoryMap["addRegisters"]>[3], isOutside: boolean) =>
        map.addRegisters(name, base, size, device, isOutside);
      switch (kind) {
        case "cluster":
          add(this.#cluster = new ClusterRegisters(this.#clusterContext()), false);
          break;
        case "accelerator":
          if (options.accelerator && this.#tcdm) {
            this.#accelerator = options.accelerator(target, this.#acceleratorContext(name, this.#tcdm));
          }
          add(this.#accelerator, false);
          break;
        case "uart":
          add(new Uart(stride ?? 1, send), true);
          break;
        case "finisher":
          add(new Finisher(exit), true);
          break;
        case "clint":
          add(this.#clint = new Clint(harts, size, (...change) => this.#lines.clint(...change)), true);
      }
    }
    if (options.testbench) {
      this.#bench = new TestBench(send, exit, this.#tcdm);
      map.addRegisters("test bench", testBenchBase, testBenchSize, this.#bench, true);
    }
    this.#clock = new CycleClock({
      ...parts,
      cache: this.#cache,
      pipeline: this.#pipeline,
      tcdm: this.#tcdm,
      narrow: this.#narrow,
      lines: this.#lines,
      clint: this.#clint,
      dma: this.#dma,
      accelerator: this.#accelerator,
      bench: this.#bench,
      observer,
      ended: () => this.#isOver,
      deadlock: () => this.#deadlock(),
    });
    engine?.attach(this.#engineParts());
    observer?.attach({
      ...parts,
      target,
      map,
      access: this.#access,
      dma: this.#dma,
      accelerator: this.#accelerator,
      now: () => this.#clock.cycle,
      stop: () => this.#stop ??= stopped,
    });
  }

  #engineParts(): EngineParts {
    const pipeline = this.#pipeline;
    const dma = this.#dma, accelerator = this.#accelerator, bench = this.#bench;
    const devices: Ticking[] = [];
    if (dma) devices.push({ busy: () => dma.active, tick: (cycle) => dma.tick(cycle) });
    if (accelerator) devices.push({ busy: () => accelerator.busy, tick: (cycle) => accelerator.tick(cycle) });
    if (bench) devices.push({ busy: () => bench.busy, tick: (cycle) => bench.tick(cycle) });
    return {
      state: this.#state,
      control: this.#control,
      code: this.#code,
      outward: pipeline.outward,
      exact: {
        resume: (hart, cycle) => pipeline.resume(hart, cycle),
        interruptChanged: (hart, cycle) => pipeline.interruptChanged(hart, cycle),
        run: (cycle, end, devicesFrom) => {
          this.#clock.cycle = cycle;
          this.#clock.run(end, devicesFrom);
          return this.#clock.cycle;
        },
      },
      access: this.#access,
      near: this.#tcdm,
      far: this.#narrow.reservations,
      nearRegion: this.#map.regions.find(({ kind }) => kind === "tcdm"),
      farRegion: this.#map.find(memoryOf(this.target, "l2").base)!,
      lines: this.#lines,
      clint: this.#clint,
      dma,
      devices,
      setCycle: (cycle) => this.#clock.cycle = cycle,
      ended: () => this.#isOver,
      deadlock: () => this.#deadlock(),
    };
  }

  #clusterContext() {
    return {
      metric: (metric: number, hart: number, cycle: number) =>
        metricOf(metric, hart, cycle, this.#state, this.#tcdm, this.#dma, this.#cache),
      interrupt: (mask: number, raise: boolean, cycle: number) =>
        this.#lines.cluster(mask & allOf(this.#state.count), raise, cycle),
      setPrefetching: (on: boolean) => {
        if (this.#cache) this.#cache.prefetching = on;
      },
    };
  }

  #acceleratorContext(name: string, port: Tcdm): AcceleratorContext {
    return {
      port,
      raise: (hart) => this.#lines.event(hart, this.#clock.cycle),
      fail: (message) => this.#fail(`${name}: ${message}`, undefined),
    };
  }

  /** Cycles since reset. */
  get cycle(): number {
    return this.#clock.cycle;
  }

  get #isOver(): boolean {
    return this.#exitCode !== undefined || this.#stop !== undefined;
  }

  /**
   * Puts an image into memory and the harts where the boot ROM (or reset) leaves them, at its entry.
   *
   * @throws {AttoflowError} if a segment does not lie in a memory of the target
   */
  load(image: Image): void {
    this.#image = image;
    this.#host.load(image);
    this.#state.pc.fill(image.entry);
    if (this.target.boot === "cluster-rom" && this.#cluster) this.#bootCluster(this.#cluster, image.entry);
    this.#engine?.loaded(image);
    const exit = (code: number) => this.#exit(code);
    watchHtif(image, this.#access, { memory: this.#host, print: this.#console, exit });
  }

  #bootCluster(cluster: ClusterRegisters, entry: number): void {
    const registers = peripheralOf(this.target, "cluster");
    const rom = this.target.memories.find((memory) => memory.role === "rom");
    if (!registers || !rom) return;
    const base = rom.alias ?? rom.base, { words } = this.#map.find(base)!;
    cluster.writeUint32(entryScratch, entry, -1, 0);
    bootFromRom(words, base, registers.base + entryScratch, entry, this.#state, this.#control);
  }

  #exit(code: number): void {
    this.#exitCode ??= code;
  }

  /**
   * Lets the SoC run until the program ends, a word is written or the time is over. Can be called again.
   *
   * @throws {GuestFault} if the program does what it must not, or nothing can ever happen again
   */
  run(options: RunOptions = {}): RunResult {
    const end = this.#clock.cycle + (options.maxCycles ?? Infinity);
    this.#stop = undefined;
    const unwatch = (options.stopOnWrite ?? []).map((address) =>
      this.#access.watch(address, (word) => this.#stop ??= word)
    );
    try {
      if (this.#engine) this.#clock.cycle = this.#engine.run(this.#clock.cycle, end);
      else this.#clock.run(end);
    } finally {
      for (const stop of unwatch) stop();
    }
    const cycle = this.#clock.cycle;
    if (this.#exitCode !== undefined) return { reason: "exit", exitCode: this.#exitCode, cycle };
    if (this.#stop !== undefined && this.#stop !== stopped) {
      return { reason: "write", address: this.#stop, cycle };
    }
    if (options.limitIsFault && this.#stop === undefined) {
      const runs = this.#state.activity.indexOf(running);
      this.#fail(`is still running after ${cycle} cycles: ${this.describe()}`, Math.max(0, runs));
    }
    return { reason: "limit", cycle };
  }

  #deadlock(): never {
    return this.#fail(`all harts wait, and nothing can wake one: ${this.describe()}`, undefined);
  }

  /** What each hart is doing, a short phrase. */
  describe(): string {
    return this.statistics().map((hart) =>
      `hart ${hart.hart} ${hart.activity === "running" ? "at" : `in ${hart.activity} at`} ${hart.symbol}`
    ).join("; ");
  }

  /** What each hart has done so far. */
  statistics(): HartStatistics[] {
    return hartStatistics(this.#state, this.#clock.cycle, (pc) => describeAddress(this.#image, pc));
  }

  /** Calls `watcher` on each write by a hart or device that touches the word at an address, after it is done. */
  watch(address: number, watcher: (address: number, cycle: number) => void): void {
    this.#access.watch(address, watcher);
  }

  /** Everything that is counted, since reset. */
  counters(): Counters {
    return readCounters({
      state: this.#state,
      ...(this.#engine
        ? {}
        : { stallUnderWay: (hart: number, cycle: number) => this.#pipeline.stallUnderWay(hart, cycle) }),
      cache: this.#cache,
      tcdm: this.#tcdm,
      narrow: this.#narrow,
      dma: this.#dma,
      accelerator: this.#accelerator,
    }, this.#clock.cycle);
  }

  #checkTrap(hart: number, cause: number, pc: number): void {
    const problem = unhandledTrap(this.#map, this.#control.mtvec[hart] & ~3, pc, cause);
    if (problem !== undefined) this.#fail(problem, hart, cause);
    this.#observer?.trap?.(hart, cause, pc);
  }

  #fail(what: string, hart: number | undefined, trapCause?: number): never {
    if (hart === undefined) throw new GuestFault(what, { cycle: this.#clock.cycle });
    const pc = this.#state.pc[hart] >>> 0;
    const word = this.#map.wordAt(pc);
    throw new GuestFault(what, {
      hart,
      pc,
      trapCause,
      cycle: this.#clock.cycle,
      symbol: describeAddress(this.#image, pc),
      instruction: word === undefined ? undefined : disassemble(word, pc),
    });
  }

  /** Copy of a part of memory. Throws {@link AttoflowError} where there is none. */
  readBytes(address: number, length: number): Uint8Array {
    return this.#host.readBytes(address, length);
  }

  /** Writes memory. Throws {@link AttoflowError} where there is none. */
  writeBytes(address: number, bytes: Uint8Array): void {
    this.#host.writeBytes(address, bytes);
  }

  /** Reads a word of memory or a register. */
  readUint32(address: number): number {
    return this.#host.readUint32(address);
  }

  /** Writes a word of memory or a register. */
  writeUint32(address: number, value: number): void {
    this.#host.writeUint32(address, value);
  }
}
