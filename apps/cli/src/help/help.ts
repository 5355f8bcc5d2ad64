import { type CommandSpec, groups, type OptionSpec, type Options } from "../input/command.js";
import { everywhere, registryOptions } from "../input/common-options.js";
import { argumentsUsage } from "../input/parse.js";
import { type Style, wrap } from "../output/terminal-text.js";

interface HelpOptions {
  /** Maximum number of columns. */
  readonly width: number;
  readonly style: Style;
}

export type Row = readonly [term: string, meaning: string];

/** Returns the text of `mote --help`, or with `of` the text of `mote GROUP --help`. */
export function programHelp(
  table: readonly CommandSpec[],
  options: HelpOptions & { readonly of?: string; readonly references: readonly Row[] },
): string {
  const { of, references, style } = options;
  const shown = table.filter(({ name, hidden }) => !hidden && (of === undefined || name.startsWith(`${of} `)));
  const sections = groups.flatMap((group) => {
    const rows = shown
      .filter((spec) => spec.group === group)
      .map((spec): Row => [`${spec.name} ${argumentsUsage(spec)}`.trim(), spec.summary]);
    return rows.length === 0 ? [] : [section(of === undefined ? group : "Commands", rows, options)];
  });
  return [
    ...(of === undefined ? ["A content-addressed, pull-through cache for OCI content.", ""] : []),
    `${style.bold("Usage:")} mote ${of === undefined ? "" : `${of} `}COMMAND [OPTION…]`,
    "",
    sections.join("\n\n"),
    "",
    section("Global options", optionRows(everywhere), options),
    "",
    ...(of === undefined ? [section("Registry options", optionRows(registryOptions), options), ""] : []),
    ...(of === undefined ? [section("References", references, options), ""] : []),
    "Run `mote COMMAND --help` for details and examples.",
    "",
  ].join("\n");
}

export function commandHelp(spec: CommandSpec, options: HelpOptions): string {
  const { width, style } = options;
  const own = Object.keys(spec.options ?? {}).length > 0 ? " [OPTION…]" : "";
  const args = Object.entries(spec.arguments ?? {}).map(([name, { summary }]): Row => [name.toUpperCase(), summary]);
  return [
    `${style.bold("Usage:")} mote ${spec.name}${own} ${argumentsUsage(spec)}`.trimEnd(),
    "",
    ...wrap(`${spec.summary}.`, width),
    ...(spec.description ?? []).flatMap((paragraph) => ["", ...wrap(paragraph, width)]),
    ...(args.length > 0 ? ["", section("Arguments", args, options)] : []),
    ...(own === "" ? [] : ["", section("Options", optionRows(spec.options ?? {}), options)]),
    "",
    ...(spec.reachesRegistries ? [section("Registry options", optionRows(registryOptions), options), ""] : []),
    section("Global options", optionRows(everywhere), options),
    "",
    style.bold("Examples:"),
    ...spec.examples.flatMap(({ line, does }) => [
      ...continued(line, width - 4).map((part) => `  ${part}`),
      ...wrap(does, width - 6).map((text) => style.dim(`      ${text}`)),
    ]),
    "",
  ].join("\n");
}

/** Returns an option as the help shows it, such as `-q, --quiet` or `--max-size SIZE`. */
export function optionTerm(name: string, { short, value, many, modes }: OptionSpec): string {
  const mode = modes ? `[=${modes.join("|")}]` : "";
  const long = `--${name}${mode}${value === undefined ? "" : ` ${value}`}${many ? "…" : ""}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

/** Returns the summary of an option with its default. */
export function optionSummary(spec: OptionSpec): string {
  return spec.default === undefined ? spec.summary : `${spec.summary} (default ${spec.default})`;
}

function optionRows(options: Options): Row[] {
  return Object.entries(options).map(([name, spec]): Row => [optionTerm(name, spec), optionSummary(spec)]);
}

/** Formats terms with their meanings beside them, or below a wide term. */
function section(title: string, rows: readonly Row[], { width, style }: HelpOptions): string {
  const widest = Math.min(28, Math.max(...rows.map(([term]) => term.length)));
  const indent = widest + 4;
  const lines = rows.flatMap(([term, meaning]) => {
    const [first = "", ...rest] = wrap(meaning, Math.max(20, width - indent));
    const more = rest.map((text) => " ".repeat(indent) + text);
    if (term.length > widest) return [`  ${term}`, " ".repeat(indent) + first, ...more];
    return [`  ${term.padEnd(widest)}  ${first}`, ...more];
  });
  return [style.bold(`${title}:`), ...lines].join("\n");
}

/** Breaks a long command line with backslashes, as in a script. */
function continued(line: string, width: number): string[] {
  const parts = wrap(line, width - 2);
  return parts.map((part, at) => `${at > 0 ? "  " : ""}${part}${at < parts.length - 1 ? " \\" : ""}`);
}
