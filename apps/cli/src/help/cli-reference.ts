import { type CommandSpec, groups, type Options } from "../input/command.js";
import { everywhere, registryOptions } from "../input/common-options.js";
import { argumentsUsage } from "../input/parse.js";
import { optionTerm } from "./help.js";

/** `docs/reference/cli.md`, from the table. */
export function cliReference(table: readonly CommandSpec[]): string {
  const shown = groups.flatMap((group) => table.filter((spec) => spec.group === group && !spec.hidden));
  return [
    "# Commands",
    "",
    "<!-- Made from apps/cli/src/table by apps/cli/test/reference.test.ts: see CONTRIBUTING.md. -->",
    "",
    ...shown.map((spec) => `- [\`mote ${usage(spec)}\`](#mote-${spec.name.replace(" ", "-")}): ${spec.summary}`),
    "",
    "## Everywhere",
    "",
    ...optionLines(everywhere),
    "",
    "How registries are reached:",
    "",
    ...optionLines(registryOptions),
    "",
    "Most of them can be set in the environment or in a file: see [configuration](configuration.md).",
    "",
    "Exit status: 0 done, 1 something failed, 2 wrong usage, 130 interrupted.",
    ...shown.flatMap(commandSection),
    "",
  ].join("\n");
}

function commandSection(spec: CommandSpec): string[] {
  const args = Object.entries(spec.arguments ?? {}).map(
    ([name, { summary }]) => `- \`${name.toUpperCase()}\`: ${summary}`,
  );
  return [
    "",
    `## mote ${spec.name}`,
    "",
    "```text",
    `mote ${usage(spec)}${spec.options ? " [OPTION…]" : ""}`,
    "```",
    "",
    `${capital(spec.summary)}.`,
    ...(spec.description ?? []).flatMap((paragraph) => ["", paragraph]),
    ...(args.length > 0 ? ["", ...args] : []),
    ...(spec.options ? ["", ...optionLines(spec.options)] : []),
    ...spec.examples.flatMap(({ line, does }) => ["", `${capital(does)}:`, "", "```sh", line, "```"]),
  ];
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

function usage(spec: CommandSpec): string {
  return `${spec.name} ${argumentsUsage(spec)}`.trim();
}

function optionLines(options: Options): string[] {
  return Object.entries(options).map(([name, spec]) => {
    const byDefault = spec.default === undefined ? "" : ` (default \`${spec.default}\`)`;
    return `- \`${optionTerm(name, spec)}\`: ${spec.summary}${byDefault}`;
  });
}
