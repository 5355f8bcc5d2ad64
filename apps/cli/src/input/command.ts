import type { Context } from "../context.js";

/** What the shell can complete: words from the cache, or paths that the shell finds. */
export type Completes =
  | "reference"
  | "destination"
  | "digest"
  | "name"
  | "file"
  | "folder"
  | "command"
  | readonly string[];

interface ArgumentSpec {
  readonly summary: string;
  readonly optional?: true;
  /** Any number, at least one unless `optional`. At most one argument of a command may have it. */
  readonly many?: true;
  readonly completes?: Completes;
}

export interface OptionSpec {
  readonly summary: string;
  /** The placeholder for its value in the help, such as `SIZE`. Without it, the option is a flag. */
  readonly value?: string;
  /** The values that a flag accepts after `=`. */
  readonly modes?: readonly string[];
  /** May be given more than once. */
  readonly many?: true;
  /** One letter. */
  readonly short?: string;
  readonly default?: string;
  /** The values that are accepted. They are completed, unless `completes` is set. */
  readonly choices?: readonly string[];
  readonly completes?: Completes;
}

interface ExampleSpec {
  /** A complete line, as a user would type it. */
  readonly line: string;
  /** What it does, in the imperative, without a full stop. */
  readonly does: string;
}

export type Arguments = Readonly<Record<string, ArgumentSpec>>;
export type Options = Readonly<Record<string, OptionSpec>>;

/** A command as data. The parser, the help, the completion, the man page and the reference are generated from it. */
export interface CommandSpec {
  /** One word, or two for a command of a group: `bic export`. */
  readonly name: string;
  readonly group: Group;
  /** One line in the imperative, without a full stop. */
  readonly summary: string;
  /** Paragraphs of the help, below the summary. */
  readonly description?: readonly string[];
  /** In their order. The help shows each name in capitals. */
  readonly arguments?: Arguments;
  /** By their long name, without dashes. */
  readonly options?: Options;
  /** At least two, real ones. None for a hidden command. */
  readonly examples: readonly ExampleSpec[];
  /** Not in the help: for our own scripts. */
  readonly hidden?: true;
  /** Its help shows the registry options. */
  readonly reachesRegistries?: true;
  /** What the state is after an interrupt: a phrase. */
  readonly afterInterrupt?: string;
  /** `unused`: it needs no cache directory. `reported`: it reports problems with it. Default: it fails if the path is not a directory. */
  readonly cacheFolder?: "unused" | "reported";
  /** Why it has no `--json` output: a phrase. */
  readonly withoutJson?: string;
  run(context: Context, values: Values, options: Values): Promise<void>;
}

export const groups = ["Transfer", "Inspect", "Manage", "Serve", "Setup"] as const;
type Group = (typeof groups)[number];

type Values = Readonly<Record<string, unknown>>;

/** Returns a command whose `run` gets arguments and options by name, with the types that their specs imply; option names in camel case. */
export function command<
  const A extends Arguments = Record<never, never>,
  const O extends Options = Record<never, never>,
>(
  spec: Omit<CommandSpec, "run" | "arguments" | "options"> & {
    readonly arguments?: A;
    readonly options?: O;
    run(context: Context, values: ArgumentValues<A>, options: OptionValues<O>): Promise<void>;
  },
): CommandSpec {
  // The parser returns what the specs describe, which the types cannot express.
  return spec as CommandSpec;
}

type ArgumentValues<A extends Arguments> = {
  readonly [N in keyof A]: A[N] extends { many: true }
    ? readonly string[]
    : A[N] extends { optional: true }
      ? string | undefined
      : string;
};

type OptionValues<O extends Options> = {
  readonly [N in keyof O as O[N] extends { value: string } ? never : Camel<N>]: boolean;
} & {
  readonly [N in keyof O as O[N] extends { value: string; default: string } ? Camel<N> : never]: Value<O[N]>;
} & {
  readonly [N in keyof O as O[N] extends { default: string }
    ? never
    : O[N] extends { value: string }
      ? Camel<N>
      : never]?: O[N] extends { many: true } ? readonly string[] : Value<O[N]>;
};

type Value<S> = S extends { choices: readonly (infer Choice)[] } ? Choice : string;

type Camel<N> = N extends `${infer Head}-${infer Rest}` ? `${Head}${Capitalize<Camel<Rest> & string>}` : N & string;
