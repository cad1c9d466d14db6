// Runs an ELF on QEMU's riscv32 virt machine, the witness against which the emulator is checked.

/** What a run printed, and the status with which the machine ended. */
export interface Run {
  console: string;
  exitCode: number;
}

// The hart of the `virt` target: rv32ima with machine and user mode, no compressed code, no memory protection.
const cpu = "rv32,c=off,f=off,d=off,v=off,h=off,s=off,mmu=off,pmp=off,zba=off,zbb=off,zbc=off,zbs=off";
const name = "qemu-system-riscv32";

/** Whether QEMU is there; if not, says on the console what is skipped. */
export async function findQemu(what: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(name, { args: ["--version"], stdout: "null" }).output();
    if (success) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  console.log(`skipped: ${what}: ${name} is not installed (Debian: apt-get install qemu-system-misc)`);
  return false;
}

/**
 * Runs an ELF until it writes to the finisher.
 *
 * @throws Error if it is still running after `seconds`
 */
export async function runQemu(elf: Uint8Array, seconds = 60): Promise<Run> {
  const file = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    await Deno.writeFile(file, elf);
    return await runQemuFile(file, seconds);
  } finally {
    await Deno.remove(file);
  }
}

/** As `runQemu`, for an ELF that is a file already. */
export async function runQemuFile(file: string, seconds = 60): Promise<Run> {
  const args = ["-M", "virt", "-cpu", cpu, "-bios", "none", "-kernel", file];
  args.push("-display", "none", "-serial", "stdio", "-monitor", "none");
  const process = new Deno.Command(name, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.kill("SIGKILL");
  }, seconds * 1000);
  const { code, stdout, stderr } = await process.output();
  clearTimeout(timer);
  const console = new TextDecoder().decode(stdout);
  if (late) throw new Error(`QEMU did not end within ${seconds} s; it printed ${console.slice(-200)}`);
  if (stderr.length > 0) throw new Error(`QEMU: ${new TextDecoder().decode(stderr)}`);
  return { console, exitCode: code };
}
