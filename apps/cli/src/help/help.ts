import { type CommandSpec, groups, type OptionSpec, type Options } from "../input/command.js";
import { everywhere, registryOptions } from "../input/common-options.js";
import { argumentsUsage } from "../input/parse.js";
import { type Style, wrap } from "../output/terminal-text.js";

interface HelpOptions {
  /** Columns at most. */
  readonly width: number;
  readonly style: Style;
}

type Row = readonly [term: string, meaning: string];

/** What `mote --help` says; of a group's commands alone, what `mote GROUP --help` says. */
export function programHelp(table: readonly CommandSpec[], options: HelpOptions & { readonly of?: string }): string {
  const { of, style } = options;
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
    section("Everywhere", optionRows(everywhere), options),
    "",
    ...(of === undefined ? [section("Registries", optionRows(registryOptions), options), ""] : []),
    ...(of === undefined ? [section("Places", places, options), ""] : []),
    `\`mote COMMAND --help\` has examples.`,
    "",
  ].join("\n");
}

/** What `mote COMMAND --help` says. */
export function commandHelp(spec: CommandSpec, options: HelpOptions): string {
  const { width, style } = options;
  const own = Object.keys(spec.options ?? {}).length > 0 ? " [OPTION…]" : "";
  const args = Object.entries(spec.arguments ?? {}).map(([name, { summary }]): Row => [name.toUpperCase(), summary]);
  return [
    `${style.bold("Usage:")} mote ${spec.name}${own} ${argumentsUsage(spec)}`.trimEnd(),
    "",
    ...wrap(`${sentence(spec.summary)}`, width),
    ...(spec.description ?? []).flatMap((paragraph) => ["", ...wrap(paragraph, width)]),
    ...(args.length > 0 ? ["", section("Arguments", args, options)] : []),
    ...(own === "" ? [] : ["", section("Options", optionRows(spec.options ?? {}), options)]),
    "",
    ...(spec.reachesRegistries ? [section("Registries", optionRows(registryOptions), options), ""] : []),
    section("Everywhere", optionRows(everywhere), options),
    "",
    style.bold("Examples:"),
    ...spec.examples.flatMap(({ line, does }) => [
      ...continued(line, width - 4).map((part) => `  ${part}`),
      ...wrap(does, width - 6).map((text) => style.dim(`      ${text}`)),
    ]),
    "",
  ].join("\n");
}

const places: readonly Row[] = [
  ["docker://HOST/NAME:TAG", "a registry; HOST/NAME:TAG and NAME mean one too"],
  ["oci:DIR:TAG", "an OCI image layout"],
  ["oci-archive:FILE:TAG", "the same, as a tar file"],
  ["docker-archive:FILE:NAME:TAG", "what `docker save` writes"],
  ["dir:DIR", "what skopeo calls dir"],
];

/** `-q, --quiet`, `--max-size SIZE`. */
export function optionTerm(name: string, { short, value, many, modes }: OptionSpec): string {
  const mode = modes ? `[=${modes.join("|")}]` : "";
  const long = `--${name}${mode}${value === undefined ? "" : ` ${value}`}${many ? "…" : ""}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

function optionRows(options: Options): Row[] {
  return Object.entries(options).map(
    ([name, spec]): Row => [
      optionTerm(name, spec),
      spec.default === undefined ? spec.summary : `${spec.summary} (default ${spec.default})`,
    ],
  );
}

/** Terms with their meanings beside them, or below where a term is wide. */
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

/** A command line that is too long, as one would write it in a script. */
function continued(line: string, width: number): string[] {
  const parts = wrap(line, width - 2);
  return parts.map((part, at) => `${at > 0 ? "  " : ""}${part}${at < parts.length - 1 ? " \\" : ""}`);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
