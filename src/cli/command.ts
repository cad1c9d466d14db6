// The thin layer over Optique: how a command, its options and their help are written down here, and how arguments
// become a call. Values are checked with zod. Every misuse ends in an AttoflowError, never in an exit from in here.

import {
  command,
  extractCommandNames,
  formatMessage,
  lineBreak,
  type Message,
  message,
  object,
  or,
  runParser,
  text,
} from "@optique/core";
import type { InferValue, Parser } from "@optique/core/parser";
import type { ValueParser } from "@optique/core/valueparser";
import type { z } from "zod";
import { AttoflowError } from "../../targets/errors.ts";

/** Options and arguments of a command, by the name of the value that each gives. */
export type Fields = Readonly<Record<string, Parser<"sync", unknown, unknown>>>;

/** Values that the fields give. */
export type Values<F extends Fields> = { readonly [K in keyof F]: InferValue<F[K]> };

/** What runs when the arguments of a command have been understood; gives the exit status. */
export type Action = () => Promise<number>;

/** A command, or a group of commands, that {@link parseCommand} can choose. */
export type CommandParser = Parser<"sync", Action, unknown>;

/** What help says about a command. */
export interface CommandHelp {
  /** One line for the list of commands. */
  readonly summary: string;
  /** What it does, what it needs, what its exit status means. */
  readonly details: string;
  /** Arguments that can be typed behind `deno task`. */
  readonly examples: readonly string[];
}

/** Describes a command. `run` gets the checked values and gives the exit status. */
export function defineCommand<const F extends Fields>(
  name: string,
  help: CommandHelp,
  fields: F,
  run: (values: Values<F>) => Promise<number>,
): CommandParser {
  const action = object(fields).map((values): Action => () => run(values as Values<F>));
  return command(name, action, {
    brief: plain(help.summary),
    description: plain(help.details),
    footer: [
      text("Examples:"),
      ...help.examples.flatMap((line) => [lineBreak(), text(`  deno task ${line}`)]),
    ],
  }) as CommandParser;
}

/** Puts commands behind a common first word. */
export function defineGroup(
  name: string,
  summary: string,
  commands: readonly CommandParser[],
): CommandParser {
  return command(name, oneOf(commands), {
    brief: plain(summary),
    description: plain(summary),
  }) as CommandParser;
}

/**
 * Finds out which command the arguments ask for.
 *
 * @returns what to run, or undefined if help was asked for and has been printed with `print`
 * @throws {AttoflowError} if the arguments make no sense; the hint says how to get help
 */
export function parseCommand(
  commands: readonly CommandParser[],
  args: readonly string[],
  print: (text: string) => void,
  width?: number,
): Action | undefined {
  const parser = oneOf(commands);
  return runParser(parser, "deno task", args, {
    help: { option: { names: ["--help", "-h"] }, onShow: () => undefined },
    description: plain(
      "Attoflow takes an ONNX transformer of integers to a bare-metal RISC-V binary, and checks on an emulated SoC " +
        "that every bit of its results is right.",
    ),
    colors: false,
    aboveError: "none",
    stdout: print,
    stderr: () => {},
    onError: (_status, error) => {
      throw usageError(error, args, new Set(extractCommandNames(parser.usage)));
    },
    ...(width === undefined ? {} : { maxWidth: width }),
    termWidth: "auto",
  }) as Action | undefined;
}

/** A kind of value: what it is called in help, and what gives the zod schema that makes it from the text. */
export function value<T>(
  metavar: string,
  schema: () => z.ZodType<T, string>,
  placeholder: T,
): ValueParser<"sync", T> {
  return {
    mode: "sync",
    metavar: metavar as ValueParser["metavar"],
    placeholder,
    parse(input) {
      const result = schema().safeParse(input);
      return result.success ? { success: true, value: result.data } : {
        success: false,
        error: message`${text(metavar)} cannot be ${input}: ${text(result.error.issues[0].message)}`,
      };
    },
    format: String,
  };
}

/** Help text without any markup. */
export function plain(words: string): Message {
  return message`${text(words)}`;
}

function oneOf(commands: readonly CommandParser[]): CommandParser {
  return commands.length === 1
    ? commands[0]
    : or(...commands as [CommandParser, CommandParser]) as CommandParser;
}

function usageError(error: Message, args: readonly string[], known: ReadonlySet<string>): AttoflowError {
  const words = formatMessage(error, { colors: false, quotes: false }).replaceAll(/\s+/g, " ").trim();
  const subject = args.slice(0, 2).filter((word) => known.has(word)).join(" ");
  return new AttoflowError(words.replace(/[.?]*$/, ""), {
    hint: `\`deno task ${subject || "generate"} --help\` shows what can be said.`,
  });
}
