import { keyNames, keySpec } from "../settings/keys.js";

/** `docs/reference/configuration.md`, from the table of settings. */
export function configReference(): string {
  const inProject = keyNames.filter((key) => keySpec(key).inProject);
  const example = JSON.stringify(Object.fromEntries(keyNames.map((key) => [key, keySpec(key).example])), undefined, 2);
  return [
    "# Configuration",
    "",
    "<!-- Made from apps/cli/src/settings/keys.ts by `pnpm docs:reference`. -->",
    "",
    "Flags go over the environment, that over the project's file, that over the user's file. A setting is taken whole from the first",
    "of these that has it: mirrors of two files are not merged. `mote config` shows each value and where it comes from.",
    "",
    "- The **project's file** is `.mote.json` in the working folder, or else in the nearest folder above it.",
    "- The **user's file** is `$XDG_CONFIG_HOME/mote/config.json`, else `~/.config/mote/config.json`; or what `MOTE_CONFIG` names.",
    "",
    "Files are JSON with comments. Relative paths begin at the file's own folder, in variables and flags at the working folder.",
    "What is wrong ends in one line that names file, line and key, with the code `MOTE_CONFIG`. An editor that knows JSON Schema",
    'checks a file that begins with `"$schema"` and the path of [configuration.schema.json](configuration.schema.json).',
    "",
    "A project's file comes with a clone, from whoever wrote it. It may therefore not say where content is trusted to come from, name",
    `files of yours, or rule over a cache that others share. It may set ${inProject.map((key) => `\`${key}\``).join(", ")};`,
    "anything else in it is refused.",
    ...keyNames.flatMap((key) => {
      const { summary, variable, flag, byDefault, kind } = keySpec(key);
      return [
        "",
        `## ${key}`,
        "",
        `${summary.charAt(0).toUpperCase()}${summary.slice(1)}. Wants ${kind.wanted}.`,
        "",
        ...(flag === undefined ? [] : [`- flag: \`--${flag}\``]),
        `- variable: \`${variable}\``,
        `- default: ${byDefault}`,
      ];
    }),
    "",
    "## All of them in a user's file",
    "",
    "```json",
    example,
    "```",
    "",
  ].join("\n");
}

/** What an editor checks a configuration file by. */
export function configSchema(): string {
  const properties = Object.fromEntries(
    keyNames.map((key) => [key, { description: keySpec(key).summary, ...keySpec(key).kind.schema }]),
  );
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "mote's configuration",
    type: "object",
    properties: { $schema: { type: "string" }, ...properties },
    additionalProperties: false,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
