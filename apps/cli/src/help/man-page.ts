import { type CommandSpec, groups, type Options } from "../input/command.js";
import { everywhere, registryOptions } from "../input/common-options.js";
import { argumentsUsage } from "../input/parse.js";
import { keyNames, keySpec } from "../settings/keys.js";
import { optionSummary, optionTerm } from "./help.js";

/** Returns mote(1) in the man macros, generated from the tables of commands and settings. */
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
    ".SH GLOBAL OPTIONS",
    ...optionParts({ ...everywhere, ...registryOptions }),
    ".SH CONFIGURATION",
    text(
      "Precedence, highest first: flags, environment variables, .mote.json of the project, the user's file. Files are JSON with comments. Their keys:",
    ),
    ...keyNames.flatMap((key) => [
      ".TP",
      `.BR ${text(key)} " (" ${text(keySpec(key).variable)} )`,
      text(keySpec(key).summary),
    ]),
    ".SH EXIT STATUS",
    text("0 success, 1 failure, 2 invalid usage, 130 interrupted."),
    ".SH FILES",
    ...[
      ["~/.cache/mote", "the cache, an OCI image layout ($XDG_CACHE_HOME/mote)"],
      ["~/.cache/mote-compiled", "compiled code for a faster start; safe to remove (NODE_COMPILE_CACHE)"],
      ["~/.config/mote/config.json", "settings of the user ($XDG_CONFIG_HOME/mote/config.json)"],
      [".mote.json", "settings of a project"],
    ].flatMap(([path = "", about = ""]) => [".TP", `.I ${text(path)}`, text(about)]),
    "",
  ].join("\n");
}

function commandPart(spec: CommandSpec): string[] {
  const args = Object.entries(spec.arguments ?? {});
  return [
    `.SS "mote ${text(`${spec.name} ${argumentsUsage(spec)}`.trim())}"`,
    text(`${spec.summary}.`),
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
    text(optionSummary(spec)),
  ]);
}

/** Escapes text for troff. */
function text(plain: string): string {
  const escaped = plain
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/"/g, "\\(dq")
    .replace(/\u2026/g, "...")
    .replace(/`/g, "\\(ga");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
