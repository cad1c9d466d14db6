// A host's view of the SoC's memory and registers: what a debugger or a bus master could do as well.

import { AttoflowError } from "../../targets/errors.ts";
import type { Image } from "../image/types.ts";
import type { MemoryAccess } from "./access.ts";
import type { MemoryMap, Region } from "./memory_map.ts";

/** Reads and writes by the host. All throw {@link AttoflowError} where there is no memory. */
export class HostAccess {
  readonly #map: MemoryMap;
  readonly #access: MemoryAccess;
  readonly #cycle: () => number;
  readonly #name: string;

  /** @param name what to call the SoC in errors */
  constructor(map: MemoryMap, access: MemoryAccess, cycle: () => number, name: string) {
    this.#map = map;
    this.#access = access;
    this.#cycle = cycle;
    this.#name = name;
  }

  /** Puts the segments of an image into memory. */
  load(image: Image): void {
    if (image.entry % 4 !== 0) {
      throw new AttoflowError(`it starts at 0x${image.entry.toString(16)}, between two instructions`, {
        where: "the image",
      });
    }
    for (const { address, bytes, memorySize } of image.segments) {
      const region = this.#map.span(address, memorySize);
      if (!region || region.kind === "zero") {
        throw new AttoflowError(
          `a segment of ${memorySize} bytes at 0x${address.toString(16)} lies in no memory of ${this.#name}`,
          { where: "the image", hint: "Link it for this target, or name the target that it was linked for." },
        );
      }
      const offset = address - region.base;
      region.bytes.fill(0, offset, offset + memorySize);
      region.bytes.set(bytes, offset);
      this.#access.changed(address, memorySize);
    }
  }

  #span(address: number, length: number): Region {
    const region = this.#map.span(address, length);
    if (!region) {
      throw new AttoflowError(
        `${length} bytes at 0x${address.toString(16)} do not lie in a memory of ${this.#name}`,
      );
    }
    return region;
  }

  readBytes(address: number, length: number): Uint8Array {
    const region = this.#span(address, length), offset = address - region.base;
    return region.bytes.slice(offset, offset + length);
  }

  writeBytes(address: number, bytes: Uint8Array): void {
    const region = this.#span(address, bytes.length);
    if (region.kind === "zero") return;
    region.bytes.set(bytes, address - region.base);
    this.#access.changed(address, bytes.length);
  }

  readUint32(address: number): number {
    const region = this.#map.find(address);
    if (region?.device) return region.device.readUint32(address - region.base, this.#cycle(), -1) >>> 0;
    const bytes = this.readBytes(address, 4);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  writeUint32(address: number, value: number): void {
    const region = this.#map.find(address);
    if (region?.device) {
      region.device.writeUint32(address - region.base, value, -1, this.#cycle(), -1);
      return;
    }
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.writeBytes(address, bytes);
  }
}
