import { parseArgs } from "node:util";
import { camelCase } from "./camel-case.js";
import type { CommandSpec, OptionSpec, Options } from "./command.js";
import { allEverywhere } from "./common-options.js";
import { suggestion } from "./nearest.js";
import { ownWord } from "./other-words.js";
import { UsageError } from "./usage-error.js";

type OptionValue = string | boolean | readonly string[];

export interface CommandLine {
  /** The command, or the name of a group if none of its commands follows. */
  readonly command: CommandSpec | string | undefined;
  readonly values: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** The values of the global options, by their long names. */
  readonly everywhere: Readonly<Record<string, OptionValue | undefined>>;
}

type Token = Extract<ReturnType<typeof readTokens>[number], { kind: "option" }>;

/** Parses a command line according to the table. @throws UsageError that suggests the nearest name for an unknown one */
export function parseCommandLine(args: readonly string[], table: readonly CommandSpec[]): CommandLine {
  const tokens = readTokens(args, table);
  const words = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const options = tokens.filter((token) => token.kind === "option");
  const { command, used } = findCommand(words, table);
  const own = typeof command === "object" ? (command.options ?? {}) : {};
  const given = readOptions(options, command, { ...allEverywhere, ...own }, table);
  const isQuestion = given.help === true || given.version === true;
  if (isQuestion || typeof command !== "object") return { command, values: {}, options: {}, everywhere: pick(given) };
  return {
    command,
    values: readArguments(words.slice(used), command),
    options: Object.fromEntries(Object.keys(own).flatMap((name) => entryOf(name, own[name] ?? { summary: "" }, given))),
    everywhere: pick(given),
  };
}

/** Splits a command line by the options of all commands, since the command is not known yet. An option has the same type in all of them. */
function readTokens(args: readonly string[], table: readonly CommandSpec[]) {
  const all = Object.assign({}, ...table.map(({ options }) => options), allEverywhere) as Options;
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? "boolean" : "string", ...(short === undefined ? {} : { short }) } as const,
    ]),
  );
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function findCommand(
  [first, second]: readonly string[],
  table: readonly CommandSpec[],
): { readonly command: CommandSpec | string | undefined; readonly used: number } {
  if (first === undefined) return { command: undefined, used: 0 };
  const two = table.find(({ name }) => name === `${first} ${second}`);
  if (two) return { command: two, used: 2 };
  const simple = table.find(({ name }) => name === first);
  if (simple) return { command: simple, used: 1 };
  const members = table.filter(({ name }) => name.startsWith(`${first} `));
  if (members.length === 0) {
    const names = table.flatMap(({ name, hidden }) => (hidden ? [] : [name.split(" ")[0] ?? name]));
    const advice = ownWord(first) || suggestion(first, names);
    throw new UsageError(`unknown command "${first}"${advice} (see mote --help)`);
  }
  if (second === undefined) return { command: first, used: 1 };
  const names = members.map(({ name }) => name.slice(first.length + 1));
  throw new UsageError(`unknown command "${first} ${second}"${suggestion(second, names)} (see mote ${first} --help)`);
}

type Given = Record<string, OptionValue>;

function readOptions(
  tokens: readonly Token[],
  command: CommandSpec | string | undefined,
  known: Options,
  table: readonly CommandSpec[],
): Given {
  const given: Given = {};
  for (const token of tokens) {
    const spec = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (spec === undefined) throw unknownOption(token, command, known, table);
    if (spec.value === undefined) {
      given[token.name] = token.value === undefined || readMode(token.name, token.value, spec);
      continue;
    }
    // An empty value is a variable of a script that is not set.
    const isMissing = !token.value || (!token.inlineValue && /^-./.test(token.value));
    if (isMissing) throw new UsageError(`${token.rawName} requires ${spec.value}: ${spec.summary}`);
    if (spec.choices?.includes(token.value ?? "") === false) throw notAChoice(token.rawName, token.value, spec.choices);
    const before = given[token.name];
    const value = token.value ?? "";
    given[token.name] = spec.many ? [...(Array.isArray(before) ? before : []), value] : value;
  }
  return given;
}

function notAChoice(rawName: string, text = "", choices: readonly string[]): UsageError {
  const advice = `use one of ${choices.join(", ")}${suggestion(text, choices)}`;
  return new UsageError(`${rawName} ${text} is not valid; ${advice}`);
}

function readMode(name: string, text: string, { modes = [] }: OptionSpec): string {
  if (modes.includes(text)) return text;
  const wanted = modes.length === 0 ? "no value" : `only the value ${modes.join(", ")}`;
  throw new UsageError(`--${name}=${text} is not valid: --${name} accepts ${wanted}${suggestion(text, modes)}`);
}

function unknownOption(
  { name, rawName }: Token,
  command: CommandSpec | string | undefined,
  known: Options,
  table: readonly CommandSpec[],
): UsageError {
  const title = typeof command === "object" ? command.name : command;
  const see = title === undefined ? "see mote --help" : `see mote ${title} --help`;
  const owners = table.filter(({ options, hidden }) => !hidden && options && Object.hasOwn(options, name));
  if (owners.length > 0 && title !== undefined) {
    const others = owners.map((owner) => owner.name).join(", ");
    return new UsageError(
      `unknown option ${rawName} of ${title}; ${others} ${owners.length === 1 ? "has" : "have"} it (${see})`,
    );
  }
  const longNames = Object.keys(known).map((other) => `--${other}`);
  const near = rawName.startsWith("--") ? suggestion(rawName, longNames) : "";
  return new UsageError(`unknown option ${rawName}${near} (${see})`);
}

function readArguments(words: readonly string[], command: CommandSpec): Record<string, unknown> {
  const specs = Object.entries(command.arguments ?? {});
  const values: Record<string, unknown> = {};
  let at = 0;
  for (const [index, [name, { many, optional }]] of specs.entries()) {
    const after = specs.slice(index + 1).filter(([, other]) => !other.optional).length;
    const taken = many ? words.slice(at, Math.max(at, words.length - after)) : words.slice(at, at + 1);
    if (taken.length === 0 && !optional) throw new UsageError(missing(command));
    values[name] = many ? taken : taken[0];
    at += taken.length;
  }
  if (at < words.length) {
    throw new UsageError(`unexpected argument "${words[at]}" (see mote ${command.name} --help)`);
  }
  return values;
}

function missing(command: CommandSpec): string {
  return `usage: mote ${command.name} ${argumentsUsage(command)} (see mote ${command.name} --help)`;
}

/** `SRC [DEST]`, `FILE…`. */
export function argumentsUsage({ arguments: specs = {} }: CommandSpec): string {
  return Object.entries(specs)
    .map(([name, { many, optional }]) => {
      const shown = `${name.toUpperCase()}${many ? "…" : ""}`;
      return optional ? `[${shown}]` : shown;
    })
    .join(" ");
}

/** Returns an option as its command gets it: flags always, others if given or with a default. */
function entryOf(name: string, spec: OptionSpec, given: Given): [string, unknown][] {
  const value = given[name] ?? spec.default ?? (spec.value === undefined ? false : undefined);
  return value === undefined ? [] : [[camelCase(name), value]];
}

function pick(given: Given): CommandLine["everywhere"] {
  return Object.fromEntries(Object.keys(allEverywhere).map((name) => [name, given[name]]));
}
