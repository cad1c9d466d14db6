// The SoC: harts, memories, buses and devices of a target, wired together and run cycle by cycle. The constructor is
// the block diagram; `run` is the clock.

import { AttoflowError } from "../../targets/errors.ts";
import { Dma } from "../../targets/engines/dma/device.ts";
import { hartCount, memoryOf, peripheralOf } from "../../targets/parts.ts";
import type { Target } from "../../targets/schema.ts";
import { CodeCache } from "../hart/code.ts";
import { causeName, Control, interrupts } from "../hart/control.ts";
import { disassemble } from "../hart/disassemble.ts";
import type { TransferAction } from "../hart/instructions.ts";
import { InstructionCache } from "../hart/instruction_cache.ts";
import { LoadStoreUnits } from "../hart/load_store.ts";
import { OffloadUnits } from "../hart/offload.ts";
import type { HartEnvironment } from "../hart/outward.ts";
import { Pipeline } from "../hart/pipeline.ts";
import { HartState } from "../hart/state.ts";
import { WriteBack } from "../hart/write_back.ts";
import { describeAddress } from "../image/symbols.ts";
import type { Image } from "../image/types.ts";
import { MemoryAccess } from "./access.ts";
import { bootRom } from "./boot_rom.ts";
import { type Counters, readCounters } from "./counters.ts";
import { ClusterRegisters, entryScratch } from "./cluster_registers.ts";
import type { Accelerator, AcceleratorContext } from "./device.ts";
import type { RunOptions, RunResult, SocOptions } from "./options.ts";
import type { EngineParts, HartEngine, Ticking } from "./engine.ts";
import { GuestFault } from "./fault.ts";
import { HostAccess } from "./host_access.ts";
import { serveHtif } from "./htif.ts";
import { InterruptLines } from "./interrupts.ts";
import { MemoryMap, type Region } from "./memory_map.ts";
import { NarrowPath } from "./narrow_path.ts";
import { type SocObserver, takeObservedTurn } from "./observer.ts";
import { Clint, Finisher, Uart } from "./peripherals.ts";
import { type HartStatistics, hartStatistics, metricOf } from "./statistics.ts";
import { Tcdm } from "./tcdm.ts";
import { TestBench, testBenchBase, testBenchSize } from "./test_bench.ts";
import { WideBus } from "./wide_bus.ts";

export type { RunOptions, RunResult, SocOptions } from "./options.ts";

/** From the grant of a store to an interrupt register to the first instruction after a wfi (section 8, rule 10). */
const interruptCycles = 6;
/** From the accelerator's event to the hart: no bus is in between. */
const eventCycles = 1;
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
  readonly #observer: SocObserver | undefined;

  #cycle = 0;
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
    this.#code = new CodeCache(this.#codeSource(), core.instructionCache?.lineBytes ?? 64);
    this.#access = new MemoryAccess(this.#state, this.#loadStore, map, engine ?? this.#code);
    this.#host = new HostAccess(map, this.#access, () => this.#cycle, target.name);
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
      transfer: (hart, action, a, b, cycle) => this.#transfer(hart, action, a, b, cycle),
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
          add(this.#clint = new Clint(harts, size, (...change) => this.#clintLine(...change)), true);
      }
    }
    if (options.testbench) {
      this.#bench = new TestBench(send, exit, this.#tcdm);
      map.addRegisters("test bench", testBenchBase, testBenchSize, this.#bench, true);
    }
    engine?.attach(this.#engineParts());
    observer?.attach({
      ...parts,
      target,
      map,
      access: this.#access,
      dma: this.#dma,
      accelerator: this.#accelerator,
      now: () => this.#cycle,
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
          this.#cycle = cycle;
          pipeline.limit = end;
          this.#clock(end, devicesFrom);
          return this.#cycle;
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
      setCycle: (cycle) => this.#cycle = cycle,
      ended: () => this.#exitCode !== undefined || this.#stop !== undefined,
      deadlock: () => this.#deadlock(),
    };
  }

  #codeSource() {
    const noted = new Uint8Array(2 ** 20);
    const isCode = (region: Region | undefined) =>
      region !== undefined && (region.kind === "memory" || region.kind === "tcdm" || region.kind === "rom");
    return {
      fetch: (address: number): number | undefined => {
        const region = this.#map.find(address);
        if (!isCode(region)) return undefined;
        if (noted[address >>> 12] === 0) {
          noted[address >>> 12] = 1;
          this.#access.noteCode(address);
        }
        this.#engine?.decoded(address);
        return region!.words[((address >>> 0) - region!.base) >>> 2];
      },
      cacheable: (address: number): boolean => this.#map.find(address)?.kind === "memory",
    };
  }

  #clusterContext() {
    return {
      metric: (metric: number, hart: number, cycle: number) =>
        metricOf(metric, hart, cycle, this.#state, this.#tcdm, this.#dma, this.#cache),
      interrupt: (mask: number, raise: boolean, cycle: number) => {
        for (let hart = 0; hart < this.#state.count; hart++) {
          if ((mask >>> hart & 1) === 0) continue;
          this.#lines.schedule(hart, interrupts.cluster, raise, cycle + interruptCycles);
        }
      },
      setPrefetching: (on: boolean) => {
        if (this.#cache) this.#cache.prefetching = on;
      },
    };
  }

  #acceleratorContext(name: string, port: Tcdm): AcceleratorContext {
    return {
      port,
      raise: (hart) => this.#lines.schedule(hart, interrupts.cluster, true, this.#cycle + eventCycles),
      fail: (message) => this.#fail(`${name}: ${message}`, undefined),
    };
  }

  #clintLine(hart: number, line: "software" | "timer", high: boolean, cycle: number): void {
    const timer = line === "timer";
    const bit = timer ? interrupts.machineTimer : interrupts.machineSoftware;
    if (timer && (this.#control.pending(hart) >>> bit & 1) === Number(high)) return;
    this.#lines.schedule(hart, bit, high, timer ? cycle : cycle + interruptCycles);
  }

  #transfer(hart: number, action: TransferAction, a: number, b: number, cycle: number): number | undefined {
    const dma = this.#dma;
    if (!dma) return this.#fail("uses Xdma, and the target has no DMA engine", hart);
    switch (action) {
      case "source":
        dma.setSource(a, b);
        return 0;
      case "destination":
        dma.setDestination(a, b);
        return 0;
      case "stride":
        dma.setStrides(a, b);
        return 0;
      case "repeat":
        dma.setRows(a);
        return 0;
      case "user":
        return 0;
      case "copy":
        return dma.start(a, b, cycle);
      case "status":
        return dma.status(b, cycle);
    }
  }

  /** Cycles since reset. */
  get cycle(): number {
    return this.#cycle;
  }

  /**
   * Puts an image into memory and the harts where the boot ROM (or reset) leaves them, at its entry.
   *
   * @throws {AttoflowError} if a segment does not lie in a memory of the target
   */
  load(image: Image): void {
    this.#image = image;
    this.#host.load(image);
    this.#boot(image.entry);
    const [tohost, fromhost] = ["tohost", "fromhost"].map((name) =>
      image.symbols.find((symbol) => symbol.name === name && symbol.kind !== "function")?.address
    );
    this.#engine?.loaded(image);
    if (tohost !== undefined) this.#access.watch(tohost, () => this.#htif(tohost, fromhost));
  }

  #boot(entry: number): void {
    const { pc, registers, count } = this.#state;
    pc.fill(entry);
    const cluster = peripheralOf(this.target, "cluster");
    const rom = this.target.memories.find((memory) => memory.role === "rom");
    if (this.target.boot !== "cluster-rom" || !cluster || !rom || !this.#cluster) return;
    const program = bootRom(cluster.base + entryScratch);
    const base = rom.alias ?? rom.base;
    this.#map.find(base)!.words.set(program.words);
    this.#cluster.writeUint32(entryScratch, entry, -1, 0);
    for (let hart = 0; hart < count; hart++) {
      this.#control.bootFromRom(hart, base + program.handler);
      this.#control.setLine(hart, interrupts.cluster, true);
      registers[hart * 64 + 1] = base + program.returned;
      registers[hart * 64 + 5] = entry;
    }
  }

  #htif(tohost: number, fromhost: number | undefined): void {
    serveHtif(
      {
        memory: this.#host,
        print: (bytes) => this.#console(bytes),
        exit: (code) => this.#exit(code),
      },
      tohost,
      fromhost,
    );
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
    const end = this.#cycle + (options.maxCycles ?? Infinity);
    this.#stop = undefined;
    const unwatch = (options.stopOnWrite ?? []).map((address) =>
      this.#access.watch(address, (word) => this.#stop ??= word)
    );
    this.#pipeline.limit = end;
    try {
      if (this.#engine) this.#cycle = this.#engine.run(this.#cycle, end);
      else this.#clock(end);
    } finally {
      for (const stop of unwatch) stop();
    }
    const cycle = this.#cycle;
    if (this.#exitCode !== undefined) return { reason: "exit", exitCode: this.#exitCode, cycle };
    if (this.#stop !== undefined && this.#stop !== stopped) {
      return { reason: "write", address: this.#stop, cycle };
    }
    if (options.limitIsFault && this.#stop === undefined) {
      this.#fail(`is still running after ${cycle} cycles: ${this.describe()}`, 0);
    }
    return { reason: "limit", cycle };
  }

  /** One turn a cycle; cycles in which nobody does anything are skipped. Devices have come to `devicesFrom`. */
  #clock(end: number, devicesFrom = 0): void {
    const { wake, count } = this.#state;
    const loadStore = this.#loadStore,
      offload = this.#offload,
      cache = this.#cache,
      pipeline = this.#pipeline;
    const lines = this.#lines, dma = this.#dma, accelerator = this.#accelerator, bench = this.#bench;
    const observer = this.#observer;
    let cycle = this.#cycle;
    while (cycle < end && this.#exitCode === undefined && this.#stop === undefined) {
      this.#cycle = cycle;
      if (this.#clint !== undefined && this.#clint.next <= cycle) this.#clint.update(cycle);
      if (lines.next <= cycle) lines.apply(cycle);
      if (cycle >= devicesFrom) {
        if (dma !== undefined && dma.active) dma.tick(cycle);
        if (accelerator !== undefined && accelerator.busy) accelerator.tick(cycle);
        if (bench !== undefined && bench.busy) bench.tick(cycle);
      }

      if (observer === undefined) pipeline.advance(cycle);
      else takeObservedTurn(observer, pipeline, cycle);
      if (loadStore.tcdmRequests !== 0) this.#tcdm!.arbitrate(cycle);
      if (loadStore.outsideRequests !== 0) this.#narrow.arbitrate(cycle);
      loadStore.fresh = 0;
      if (offload.requests !== 0) offload.arbitrate(cycle);
      if (cache !== undefined && cache.requests !== 0) cache.arbitrate(cycle);

      const busy = (loadStore.tcdmRequests | loadStore.outsideRequests | offload.requests) !== 0 ||
        (cache !== undefined && cache.requests !== 0) || (dma !== undefined && dma.active) ||
        (accelerator !== undefined && accelerator.busy) || (bench !== undefined && bench.busy);
      cycle++;
      if (busy || this.#exitCode !== undefined || this.#stop !== undefined) continue;
      let next = Infinity;
      for (let hart = 0; hart < count; hart++) if (wake[hart] < next) next = wake[hart];
      if (lines.next < next) next = lines.next;
      if (this.#clint !== undefined && this.#clint.next < next) next = this.#clint.next;
      if (next > cycle) {
        if (next === Infinity) this.#deadlock();
        cycle = Math.min(next, end);
      }
    }
    this.#cycle = cycle;
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
    return hartStatistics(this.#state, this.#cycle, (pc) => describeAddress(this.#image, pc));
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
    }, this.#cycle);
  }

  #checkTrap(hart: number, cause: number, pc: number): void {
    const vector = this.#control.mtvec[hart] & ~3;
    const handler = this.#map.find(vector);
    const fromRom = this.#map.find(pc)?.kind === "rom";
    const own = handler !== undefined && handler.kind !== "registers" && handler.kind !== "zero" &&
      (handler.kind !== "rom" || fromRom);
    if (vector === 0 || !own) {
      this.#fail(`traps (${causeName(cause)}), and the program has set no trap handler`, hart, cause);
    }
    if (cause >= 0 && pc === vector) {
      this.#fail(`traps (${causeName(cause)}) in the first instruction of its trap handler`, hart, cause);
    }
    this.#observer?.trap?.(hart, cause, pc);
  }

  #fail(what: string, hart: number | undefined, trapCause?: number): never {
    if (hart === undefined) throw new GuestFault(what, { cycle: this.#cycle });
    const pc = this.#state.pc[hart] >>> 0;
    const word = this.#map.find(pc)?.words[(pc - this.#map.find(pc)!.base) >>> 2];
    throw new GuestFault(what, {
      hart,
      pc,
      trapCause,
      cycle: this.#cycle,
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
