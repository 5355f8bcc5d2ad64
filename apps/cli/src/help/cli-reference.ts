import { type CommandSpec, groups, type Options } from "../input/command.js";
import { everywhere, registryOptions } from "../input/common-options.js";
import { argumentsUsage } from "../input/parse.js";
import { optionSummary, optionTerm } from "./help.js";

/** Returns `docs/reference/cli.md`, generated from the table. */
export function cliReference(table: readonly CommandSpec[]): string {
  const shown = groups.flatMap((group) => table.filter((spec) => spec.group === group && !spec.hidden));
  return [
    "# Commands",
    "",
    "<!-- Generated from apps/cli/src/table by `pnpm docs:reference`. -->",
    "",
    ...shown.map((spec) => `- [\`mote ${usage(spec)}\`](#mote-${spec.name.replace(" ", "-")}): ${spec.summary}`),
    "",
    "## Global options",
    "",
    ...optionLines(everywhere),
    "",
    "Registry options:",
    "",
    ...optionLines(registryOptions),
    "",
    "Most of these can also be set in the environment or in a file, see [configuration](configuration.md).",
    "",
    "Exit status: 0 success, 1 failure, 2 invalid usage, 130 interrupted.",
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
    `${spec.summary}.`,
    ...(spec.description ?? []).flatMap((paragraph) => ["", paragraph]),
    ...(args.length > 0 ? ["", ...args] : []),
    ...(spec.options ? ["", ...optionLines(spec.options)] : []),
    ...spec.examples.flatMap(({ line, does }) => ["", `${does}:`, "", "```sh", line, "```"]),
  ];
}

function usage(spec: CommandSpec): string {
  return `${spec.name} ${argumentsUsage(spec)}`.trim();
}

function optionLines(options: Options): string[] {
  return Object.entries(options).map(([name, spec]) => `- \`${optionTerm(name, spec)}\`: ${optionSummary(spec)}`);
}
