import { type CommandSpec, type Completes, groups, type OptionSpec } from "../input/command.js";
import { allEverywhere } from "../input/common-options.js";

export interface Candidate {
  readonly value: string;
  readonly about: string;
}

/** What the shell offers: the candidates, and the files or folders that it finds. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly paths?: "files" | "folders" | undefined;
}

/** Candidates from the cache, which is opened only when they are needed, and the prefixes of references. */
export interface CacheCandidates {
  readonly prefixes: readonly Candidate[];
  names(prefix: string): Promise<readonly Candidate[]>;
  digests(prefix: string): Promise<readonly Candidate[]>;
  /** Returns the paths that complete the path of a reference such as `oci:DIR`, each with its transport; undefined for others. */
  paths(reference: string): Promise<readonly Candidate[] | undefined>;
}

/** Completes the last of `words`, the words after `mote`. */
export async function complete(
  words: readonly string[],
  table: readonly CommandSpec[],
  cache: CacheCandidates,
): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const { command, group, options, position } = readWords(before, table);
  const valueOption = optionAt(before.at(-1), options);
  const found = valueOption
    ? await valuesOf(valueOption.completes ?? valueOption.choices, current, table, cache)
    : current.startsWith("-")
      ? optionCandidates(options, before)
      : command
        ? await valuesOf(argumentAt(command, position), current, table, cache)
        : { candidates: commandCandidates(table, group) };
  return { ...found, candidates: found.candidates.filter(({ value }) => value.startsWith(current)) };
}

interface Read {
  readonly command: CommandSpec | undefined;
  /** The first word, if it is the name of a group of commands. */
  readonly group: string | undefined;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Number of the command's arguments so far. */
  readonly position: number;
}

function readWords(before: readonly string[], table: readonly CommandSpec[]): Read {
  const every = Object.assign({}, ...table.map(({ options }) => options), allEverywhere);
  const plain = before.filter((word, at) => !word.startsWith("-") && !optionAt(before[at - 1], every));
  const [first, second] = plain;
  const command = table.find(({ name }) => name === first || name === `${first} ${second}`);
  const isGroup = command === undefined && table.some(({ name }) => name.startsWith(`${first} `));
  return {
    command,
    group: isGroup ? first : undefined,
    options: { ...command?.options, ...allEverywhere },
    position: plain.length - (command?.name.split(" ").length ?? 0),
  };
}

/** Returns the option that takes the next word as its value. */
function optionAt(word: string | undefined, options: Readonly<Record<string, OptionSpec>>): OptionSpec | undefined {
  if (word === undefined || !word.startsWith("-")) return undefined;
  const found = Object.entries(options).find(([name, { short }]) => word === `--${name}` || word === `-${short}`);
  return found?.[1].value === undefined ? undefined : found[1];
}

function argumentAt({ arguments: specs = {} }: CommandSpec, position: number): Completes | undefined {
  const all = Object.values(specs);
  const many = all.findIndex((spec) => spec.many);
  // After a repeated argument, the next one cannot be told from it: both are completed in the same way.
  return all[many === -1 ? position : Math.min(position, many)]?.completes;
}

async function valuesOf(
  completes: Completes | undefined,
  current: string,
  table: readonly CommandSpec[],
  cache: CacheCandidates,
): Promise<Completion> {
  if (completes === undefined) return { candidates: [] };
  if (typeof completes === "object") return { candidates: completes.map((value) => ({ value, about: "" })) };
  switch (completes) {
    case "file":
      return { candidates: [], paths: "files" };
    case "folder":
      return { candidates: [], paths: "folders" };
    case "command":
      return { candidates: commandCandidates(table, undefined) };
    case "digest":
      return { candidates: await cache.digests(current) };
    case "name":
      return { candidates: [...(await cache.names(current)), ...(await digestsAfterAlgorithm(current, cache))] };
    case "reference": {
      const found = await cache.paths(current);
      if (found !== undefined) return { candidates: [...(await cache.names(current)), ...found] };
      const digests = await digestsAfterAlgorithm(current, cache);
      return { candidates: [...(await cache.names(current)), ...digests, ...cache.prefixes], paths: "files" };
    }
    // A destination without a transport is an error.
    case "destination": {
      const found = await cache.paths(current);
      return found === undefined ? { candidates: cache.prefixes, paths: "files" } : { candidates: found };
    }
  }
}

/** Offered only once an algorithm is begun, as they would hide the names. */
async function digestsAfterAlgorithm(current: string, cache: CacheCandidates): Promise<readonly Candidate[]> {
  return current.startsWith("sha") ? cache.digests(current) : [];
}

function optionCandidates(options: Readonly<Record<string, OptionSpec>>, before: readonly string[]): Completion {
  const unused = Object.entries(options).filter(([name, { many }]) => many || !before.includes(`--${name}`));
  return { candidates: unused.map(([name, { summary }]) => ({ value: `--${name}`, about: summary })) };
}

function commandCandidates(table: readonly CommandSpec[], group: string | undefined): Candidate[] {
  const shown = groups.flatMap((title) => table.filter((spec) => spec.group === title && !spec.hidden));
  if (group !== undefined) {
    const members = shown.filter(({ name }) => name.startsWith(`${group} `));
    return members.map(({ name, summary }) => ({ value: name.slice(group.length + 1), about: summary }));
  }
  const byWord = new Map<string, string>([["help", "Show help for a command"]]);
  for (const { name, summary } of shown) {
    const [word = name, rest] = name.split(" ");
    if (!byWord.has(word)) byWord.set(word, rest === undefined ? summary : `mote ${word} --help`);
  }
  return [...byWord].map(([value, about]) => ({ value, about }));
}
