// Entry of the command line: `deno task COMMAND …` comes here. Chooses the command, and turns every way in which it
// can end into an exit status: 0 done, 1 failed or not equal, 2 wrong usage or bad input, 130 Ctrl-C.

import { AttoflowError } from "../../targets/errors.ts";
import { parseCommand } from "./command.ts";
import { commandsFor } from "./commands.ts";
import { Interrupted } from "../../runtime/host/run.ts";
import { fileError } from "./files.ts";
import { OutputClosed, outputClosedStatus, print, say } from "./output.ts";
import { statusOf } from "./status.ts";

/** Runs the command that the arguments ask for and gives its exit status. Never throws. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const action = parseCommand(await commandsFor(args), args, print, terminalWidth());
    return action ? await action() : 0;
  } catch (thrown) {
    return report(thrown, args);
  }
}

function report(thrown: unknown, args: readonly string[]): number {
  if (thrown instanceof OutputClosed) return outputClosedStatus;
  if (thrown instanceof Interrupted) {
    say(...thrown.state, "attoflow: interrupted");
    return thrown.status;
  }
  const error = fileError(thrown, "a file");
  if (error instanceof AttoflowError) {
    say(`attoflow: ${error.paragraph}`);
    return statusOf(error);
  }
  say(
    `attoflow: this is a bug in Attoflow, not in what you gave it: ${error}. ` +
      `Please report it with the command (${args.slice(0, 2).join(" ")} …) and its input; ` +
      "ATTOFLOW_DEBUG=1 in the environment shows where it happened.",
  );
  if (debugging()) say(String((error as Error)?.stack));
  return 1;
}

function debugging(): boolean {
  try {
    return Boolean(Deno.env.get("ATTOFLOW_DEBUG"));
  } catch {
    return false;
  }
}

function terminalWidth(): number | undefined {
  try {
    return Math.min(100, Math.max(60, Deno.consoleSize().columns));
  } catch {
    return 100;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
