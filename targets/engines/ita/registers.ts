// ITA's register map (ita.md, section 3) in one place: the device decodes it, messages name it,
// and a test compares the driver's header with it.

/** Byte offset of each register. From INPUT_PTR on there is one copy in each context. */
export const registers = {
  TRIGGER: 0x00,
  ACQUIRE: 0x04,
  FINISHED: 0x08,
  STATUS: 0x0c,
  RUNNING_JOB: 0x10,
  SOFT_CLEAR: 0x14,
  INPUT_PTR: 0x20,
  WEIGHT_PTR0: 0x24,
  WEIGHT_PTR1: 0x28,
  BIAS_PTR: 0x2c,
  OUTPUT_PTR: 0x30,
  SEQ_LENGTH: 0x34,
  TILES: 0x38,
  EPS_MULT0: 0x3c,
  EPS_MULT1: 0x40,
  RIGHT_SHIFT0: 0x44,
  RIGHT_SHIFT1: 0x48,
  ADD0: 0x4c,
  ADD1: 0x50,
  CTRL_ENGINE: 0x54,
  CTRL_STREAM: 0x58,
  GELU_B_C: 0x5c,
  ACTIVATION_REQUANT: 0x60,
} as const;

export type RegisterName = keyof typeof registers;
export type PointerName = "INPUT_PTR" | "WEIGHT_PTR0" | "WEIGHT_PTR1" | "BIAS_PTR" | "OUTPUT_PTR";

/** First register of a context, and how many a context has. */
export const firstJobRegister = registers.INPUT_PTR;
export const jobRegisterCount = 17;

/** What a read of TRIGGER gives. */
export const triggerReadValue = 0xdead_beef;

/** Bits of CTRL_STREAM. */
export const streamBits = {
  weightPreload: 1 << 0,
  weightNextload: 1 << 1,
  biasDisable: 1 << 2,
  biasByRow: 1 << 3,
  outputDisable: 1 << 4,
} as const;

/** CTRL_ENGINE[1:0]. */
export const layers = ["attention", "feedforward", "linear", "singleAttention"] as const;
export type Layer = (typeof layers)[number];

/** CTRL_ENGINE[3:2]; code 3 is the identity too. */
export const activations = ["identity", "gelu", "relu", "identity"] as const;
export type Activation = (typeof activations)[number];

/** Tiles of 64 along each dimension, as one sequence of jobs counts them: fields of TILES; a field of 0 means 1. */
export interface Tiles {
  readonly s: number;
  readonly e: number;
  readonly p: number;
  readonly f: number;
}

/** Reads the fields of TILES. */
export function decodeTiles(word: number): Tiles {
  const field = (shift: number) => (word >>> shift) & 15 || 1;
  return { s: field(0), e: field(4), p: field(8), f: field(12) };
}

/** Registers of one context with the meaning of their bits. */
export class JobRegisters {
  constructor(readonly words: Uint32Array) {}

  /** Pointers ignore their bits 1:0. */
  pointer(
    name: "INPUT_PTR" | "WEIGHT_PTR0" | "WEIGHT_PTR1" | "BIAS_PTR" | "OUTPUT_PTR",
  ): number {
    return (this.#word(name) & ~3) >>> 0;
  }

  get tiles(): Tiles {
    return decodeTiles(this.#word("TILES"));
  }

  /** Requantisation constants of one step, index 0 … 7. */
  requant(index: number): { multiplier: number; shift: number; offset: number } {
    const byte = (low: RegisterName, high: RegisterName) =>
      (this.#word(index < 4 ? low : high) >>> (8 * (index & 3))) & 0xff;
    return {
      multiplier: byte("EPS_MULT0", "EPS_MULT1"),
      shift: byte("RIGHT_SHIFT0", "RIGHT_SHIFT1"),
      offset: (byte("ADD0", "ADD1") << 24) >> 24,
    };
  }

  get layer(): Layer {
    return layers[this.#word("CTRL_ENGINE") & 3];
  }

  /** The activation with its constants. */
  get activation(): {
    kind: Activation;
    b: number;
    c: number;
    requant: { multiplier: number; shift: number; offset: number };
  } {
    const constants = this.#word("GELU_B_C");
    const requant = this.#word("ACTIVATION_REQUANT");
    return {
      kind: activations[(this.#word("CTRL_ENGINE") >>> 2) & 3],
      b: (constants << 16) >> 16,
      c: constants >> 16,
      requant: {
        multiplier: requant & 0xff,
        shift: (requant >>> 8) & 0xff,
        offset: (requant << 8) >> 24,
      },
    };
  }

  /** Whether a bit of CTRL_STREAM is set. */
  stream(bit: keyof typeof streamBits): boolean {
    return (this.#word("CTRL_STREAM") & streamBits[bit]) !== 0;
  }

  #word(name: RegisterName): number {
    return this.words[(registers[name] - firstJobRegister) >> 2];
  }
}
