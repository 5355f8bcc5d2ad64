import { type CommandSpec, groups, type Options } from "../input/command.js";
import { everywhere, registryOptions } from "../input/common-options.js";
import { argumentsUsage } from "../input/parse.js";
import { keyNames, keySpec } from "../settings/keys.js";
import { optionTerm } from "./help.js";

/** mote(1), from the table of commands and that of settings, in the man macros. */
export function manPage(table: readonly CommandSpec[], version: string): string {
  return [
    `.TH MOTE 1 "" "mote ${version}" "User Commands"`,
    ".SH NAME",
    "mote \\- a content-addressed, pull-through cache for OCI content",
    ".SH SYNOPSIS",
    ".B mote",
    "\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]",
    ".SH COMMANDS",
    ...groups.flatMap((group) => table.filter((spec) => spec.group === group && !spec.hidden)).flatMap(commandPart),
    ".SH OPTIONS OF EVERY COMMAND",
    ...optionParts({ ...everywhere, ...registryOptions }),
    ".SH CONFIGURATION",
    text(
      "Flags go over the environment, that over .mote.json of the project, that over the user's file. Keys of the files, which are JSON with comments:",
    ),
    ...keyNames.flatMap((key) => [
      ".TP",
      `.BR ${text(key)} " (" ${text(keySpec(key).variable)} )`,
      text(keySpec(key).summary),
    ]),
    ".SH EXIT STATUS",
    text("0 done, 1 something failed, 2 wrong usage, 130 interrupted."),
    ".SH FILES",
    ...[
      ["~/.cache/mote", "the cache, an OCI image layout ($XDG_CACHE_HOME/mote)"],
      ["~/.cache/mote-compiled", "what the engine compiled, to start faster; may be removed (NODE_COMPILE_CACHE)"],
      ["~/.config/mote/config.json", "the user's settings ($XDG_CONFIG_HOME/mote/config.json)"],
      [".mote.json", "a project's settings"],
    ].flatMap(([path = "", about = ""]) => [".TP", `.I ${text(path)}`, text(about)]),
    "",
  ].join("\n");
}

function commandPart(spec: CommandSpec): string[] {
  const args = Object.entries(spec.arguments ?? {});
  return [
    `.SS "mote ${text(`${spec.name} ${argumentsUsage(spec)}`.trim())}"`,
    text(`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`),
    ...(spec.description ?? []).flatMap((paragraph) => [".PP", text(paragraph)]),
    ...args.flatMap(([name, { summary }]) => [".TP", `.I ${text(name.toUpperCase())}`, text(summary)]),
    ...optionParts(spec.options ?? {}),
    ...spec.examples.flatMap(({ line, does }) => [".PP", `${text(does)}:`, ".RS 4", ".nf", text(line), ".fi", ".RE"]),
  ];
}

function optionParts(options: Options): string[] {
  return Object.entries(options).flatMap(([name, spec]) => [
    ".TP",
    `.B ${text(optionTerm(name, spec))}`,
    text(spec.default === undefined ? spec.summary : `${spec.summary} (default ${spec.default})`),
  ]);
}

/** Nothing in it means anything to troff. */
function text(plain: string): string {
  const escaped = plain
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/"/g, "\\(dq")
    .replace(/\u2026/g, "...")
    .replace(/`/g, "\\(ga");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
