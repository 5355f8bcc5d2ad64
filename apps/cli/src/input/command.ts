import type { Context } from "../context.js";

/** What the shell may complete: what the cache knows, or what the shell finds by itself. */
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
  /** Any number, one at least unless `optional`. At most one argument of a command. */
  readonly many?: true;
  readonly completes?: Completes;
}

export interface OptionSpec {
  readonly summary: string;
  /** What stands for its value in the help, such as `SIZE`. Without it, the option is a flag. */
  readonly value?: string;
  /** What may follow a flag behind `=`. */
  readonly modes?: readonly string[];
  /** May be given more than once. */
  readonly many?: true;
  /** One letter. */
  readonly short?: string;
  readonly default?: string;
  readonly completes?: Completes;
}

interface ExampleSpec {
  /** A whole line, as one would type it. */
  readonly line: string;
  /** What it does: a phrase, without a full stop. */
  readonly does: string;
}

export type Arguments = Readonly<Record<string, ArgumentSpec>>;
export type Options = Readonly<Record<string, OptionSpec>>;

/** A command as data: the parser, the help, the completion, the man page and the reference are made from it. */
export interface CommandSpec {
  /** One word, or two for a command of a group: `bic export`. */
  readonly name: string;
  readonly group: Group;
  /** One line, without a full stop. */
  readonly summary: string;
  /** Paragraphs of the help, below the summary. */
  readonly description?: readonly string[];
  /** In their order; the help shows each name in capitals. */
  readonly arguments?: Arguments;
  /** By their long name, without dashes. */
  readonly options?: Options;
  /** Two at least, real ones. None for what is hidden. */
  readonly examples: readonly ExampleSpec[];
  /** Not in the help: for scripts of our own. */
  readonly hidden?: true;
  /** Its help shows how registries are reached. */
  readonly reachesRegistries?: true;
  /** How things are when it was interrupted, for one who wonders what is left: a phrase. */
  readonly afterInterrupt?: string;
  /** `unused`: it needs no cache folder. `reported`: it tells itself what is wrong with it. Default: it fails where that is no folder. */
  readonly cacheFolder?: "unused" | "reported";
  /** Where `--json` has no meaning, why: a phrase. */
  readonly withoutJson?: string;
  run(context: Context, values: Values, options: Values): Promise<void>;
}

export const groups = ["Move", "Look", "Keep", "Serve", "Set up"] as const;
type Group = (typeof groups)[number];

type Values = Readonly<Record<string, unknown>>;

/** A command whose `run` sees its arguments and options by name, with the types that their specs imply; options in camel case. */
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
  // The parser makes what the specs describe; that is the one thing that the types cannot follow.
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
  readonly [N in keyof O as O[N] extends { value: string; default: string } ? Camel<N> : never]: string;
} & {
  readonly [N in keyof O as O[N] extends { default: string }
    ? never
    : O[N] extends { value: string }
      ? Camel<N>
      : never]?: O[N] extends { many: true } ? readonly string[] : string;
};

type Camel<N> = N extends `${infer Head}-${infer Rest}` ? `${Head}${Capitalize<Camel<Rest> & string>}` : N & string;

/** `max-size` → `maxSize`. */
export function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
}
