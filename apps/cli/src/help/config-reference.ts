import { keyNames, keySpec } from "../settings/keys.js";

/** Returns `docs/reference/configuration.md`, generated from the table of settings. */
export function configReference(): string {
  const inProject = keyNames.filter((key) => keySpec(key).inProject);
  const example = JSON.stringify(Object.fromEntries(keyNames.map((key) => [key, keySpec(key).example])), undefined, 2);
  return [
    "# Configuration",
    "",
    "<!-- Generated from apps/cli/src/settings/keys.ts by `pnpm docs:reference`. -->",
    "",
    "Precedence, highest first: flags, environment variables, the project's file, the user's file. The first of these that has a",
    "setting determines its complete value: mirrors of two files are not merged. `mote config` shows each value and its origin.",
    "",
    "- The **project's file** is `.mote.json` in the working directory or its nearest parent that has one.",
    "- The **user's file** is the file that `MOTE_CONFIG` names, or `$XDG_CONFIG_HOME/mote/config.json`, or",
    "  `~/.config/mote/config.json`.",
    "",
    "Files are JSON with comments. A relative path in a file is relative to the directory of the file; in a variable or flag, to the",
    "working directory. An error names the file, the line and the key, and has the code `MOTE_CONFIG`. To validate a file in an",
    'editor, set `"$schema"` to the path of [configuration.schema.json](configuration.schema.json).',
    "",
    "A project's file comes with a clone and may have been written by a stranger. It therefore cannot choose trusted sources, name",
    `files of the user, or configure a shared cache. It can set ${inProject.map((key) => `\`${key}\``).join(", ")};`,
    "any other setting in it is an error.",
    ...keyNames.flatMap((key) => {
      const { summary, variable, flag, byDefault, kind } = keySpec(key);
      return [
        "",
        `## ${key}`,
        "",
        `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
        "",
        `- value: ${kind.expected}`,
        ...(flag === undefined ? [] : [`- flag: \`--${flag}\``]),
        `- variable: \`${variable}\``,
        `- default: ${byDefault}`,
      ];
    }),
    "",
    "## A complete user's file",
    "",
    "```json",
    example,
    "```",
    "",
  ].join("\n");
}

/** Returns the JSON Schema of a configuration file. */
export function configSchema(): string {
  const properties = Object.fromEntries(
    keyNames.map((key) => [key, { description: keySpec(key).summary, ...keySpec(key).kind.schema }]),
  );
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "mote configuration",
    type: "object",
    properties: { $schema: { type: "string" }, ...properties },
    additionalProperties: false,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
