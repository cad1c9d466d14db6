// The Makefile of a generated project, and the compiler flags that it shares with src/toolchain.

import type { Target } from "../../targets/schema.ts";

/** Families of compilers that can build an image. */
export type CompilerFamily = "clang" | "gcc";

/** Names under which a compiler may be found, newest first; `clang` and the prefixes stand in front. */
export const compilerNames: Readonly<Record<CompilerFamily, readonly string[]>> = {
  clang: ["clang", ...[22, 21, 20, 19, 18, 17, 16].map((version) => `clang-${version}`)],
  gcc: ["riscv64-unknown-elf-gcc", "riscv32-unknown-elf-gcc", "riscv-none-elf-gcc", "riscv64-elf-gcc"],
};

/** Flags of every compilation. */
export function compileFlags(target: Target): string[] {
  return [
    `-march=${target.harts.isa}`,
    `-mabi=${target.harts.abi}`,
    "-std=gnu11",
    "-O2",
    "-Wall",
    "-Wextra",
    // A stack holds a kernel's frame and a few small ones of the runtime.
    `-Wframe-larger-than=${Math.floor(target.harts.stack.size * 5 / 8)}`,
    "-ffreestanding",
    "-fno-pic",
    // A table of addresses would lie in L2, far from the harts.
    "-fno-jump-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-Ikernels",
    "-I.",
  ];
}

/** Flags for builtins.c, whose loops must stay loops. */
export const builtinFlags: Readonly<Record<CompilerFamily, readonly string[]>> = {
  clang: ["-fno-builtin"],
  gcc: ["-fno-builtin", "-fno-tree-loop-distribute-patterns"],
};

/** Flags of the link. */
export const linkFlags: readonly string[] = ["-nostdlib", "-static", "-Wl,--gc-sections", "-T", "link.ld"];

/**
 * Flags that only a family needs, for compiling and linking. clang knows no latencies unless it is told a core:
 * Rocket's are near to Snitch's.
 */
export const familyFlags: Readonly<Record<CompilerFamily, readonly string[]>> = {
  clang: ["--target=riscv32-unknown-elf", "-mtune=rocket-rv32"],
  gcc: [],
};

/** What clang needs to find its linker. */
export const clangLinkFlags: readonly string[] = ["-fuse-ld=lld"];

/**
 * Text of the Makefile.
 *
 * @param sources .c and .S files, relative to the project
 * @param family family that is tried first where CC is not given
 */
export function makefile(target: Target, sources: readonly string[], family: CompilerFamily): string {
  const other = family === "clang" ? "gcc" : "clang";
  const objects = sources.map((source) => source.replace(/\.[cS]$/, ".o"));
  const list = (items: readonly string[]) => items.join(" \\\n    ");
  return `# Builds image.elf with clang (16 or later, with lld) or gcc: make, or make CC=clang-19, or
# make CC=riscv64-unknown-elf-gcc. Made by Attoflow for the target ${target.name}; do not edit.

COMPILERS := ${list([...compilerNames[family], ...compilerNames[other]])}

ifneq (,$(filter default undefined,$(origin CC)))
CC := $(firstword $(foreach name,$(COMPILERS),$(shell command -v $(name) 2>/dev/null)))
endif
ifeq (,$(strip $(CC)))
$(error no RISC-V C compiler found: install clang and lld, or gcc-riscv64-unknown-elf, or say make CC=...)
endif

CFLAGS := ${list(compileFlags(target))}
LDFLAGS := ${list(linkFlags)}
BUILTIN_FLAGS := -fno-builtin

ifneq (,$(findstring clang,$(shell $(CC) --version)))
FAMILY_FLAGS := ${familyFlags.clang.join(" ")}
LDFLAGS += ${clangLinkFlags.join(" ")}
else
BUILTIN_FLAGS += ${builtinFlags.gcc.slice(1).join(" ")}
endif

OBJECTS := ${list(objects)}

image.elf: $(OBJECTS) link.ld
\t$(CC) $(FAMILY_FLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJECTS)

builtins.o: CFLAGS += $(BUILTIN_FLAGS)
weights.o: weights.bin

%.o: %.c $(wildcard *.h kernels/*.h)
\t$(CC) $(FAMILY_FLAGS) $(CFLAGS) -c -o $@ $<

%.o: %.S soc.h
\t$(CC) $(FAMILY_FLAGS) $(CFLAGS) -c -o $@ $<

clean:
\trm -f image.elf $(OBJECTS)

.PHONY: clean
`;
}
