import fs from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isAbsent, MoteError, readRegularFile } from "@mote/core";

/** The environment variables that are read. */
export type Environment = Readonly<Record<string, string | undefined>>;
/** The settings of a profile. */
export type Profile = ReadonlyMap<string, string>;

const maxBytes = 1024 * 1024;

/**
 * Returns the settings of the profile in `~/.aws/config` and `~/.aws/credentials`; the latter win. Empty if there are none.
 * @throws MOTE_CONFIG if a file cannot be read, or AWS_PROFILE names a profile that does not exist
 */
export function readProfile(env: Environment): Profile {
  const name = env.AWS_PROFILE || "default";
  const folder = join(env.HOME || homedir(), ".aws");
  const config = readSections(env.AWS_CONFIG_FILE || join(folder, "config"));
  const shared = readSections(env.AWS_SHARED_CREDENTIALS_FILE || join(folder, "credentials"));
  const found = [config.get(name === "default" ? name : `profile ${name}`), shared.get(name)];
  if (env.AWS_PROFILE && found.every((section) => section === undefined))
    throw new MoteError("MOTE_CONFIG", `the AWS profile "${name.slice(0, 80)}" does not exist; check AWS_PROFILE`);
  return new Map(found.flatMap((section) => [...(section ?? [])]));
}

function readSections(path: string): Map<string, Map<string, string>> {
  let text: string;
  try {
    text = new TextDecoder().decode(readRegularFile(path, fs, maxBytes));
  } catch (cause) {
    if (isAbsent(cause)) return new Map();
    throw new MoteError("MOTE_CONFIG", `cannot read ${path}; check the file`, { cause });
  }
  return parseSections(text);
}

/** Parses the INI format of AWS. Nested settings are skipped. */
export function parseSections(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:[#;]|$)/.test(line) || /^\s/.test(line)) continue;
    const header = /^\[\s*([^\]]+?)\s*\]/.exec(line)?.[1]?.replace(/\s+/g, " ");
    if (header !== undefined) {
      section = sections.get(header) ?? new Map();
      sections.set(header, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals > 0) section.set(line.slice(0, equals).trim().toLowerCase(), line.slice(equals + 1).trim());
  }
  return sections;
}
