import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { homeFolders, MoteError, redactUrl } from "@mote/core";
import { camelCase } from "../input/camel-case.js";
import { UsageError } from "../input/usage-error.js";
import { type ConfigFile, type Found, located, type Origin } from "./found.js";
import { type Key, keyNames, keySpec, type SettingValues } from "./keys.js";

export type Settings = SettingValues;

export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: Readonly<Record<Key, Origin>>;
  /** The configuration files that were looked for. */
  readonly files: readonly ConfigFile[];
}

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The options of the command line by their long names, those of the command in camel case. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/**
 * Loads the settings from flags, the environment, the project's file and the user's file, in this order of precedence.
 * @throws UsageError for a flag, MOTE_CONFIG for a variable or a file
 */
export async function loadSettings({ env, cwd, flags }: Surroundings): Promise<LoadedSettings> {
  const files = configFiles(env, cwd);
  const found: Found = {};
  for (const file of files.filter(({ exists }) => exists).reverse()) {
    // Imported only here, because most users have no such file.
    const { readConfigFile } = await import("./read-config-file.js");
    Object.assign(found, readConfigFile(file, env));
  }
  Object.assign(found, fromEnvironment(env, cwd), fromFlags(flags, { env, cwd }));
  const { cache } = homeFolders(env, userInfo);
  if (cache !== undefined) found.cache ??= { value: join(cache, "mote"), origin: { layer: "default" } };
  const settings = Object.fromEntries(keyNames.map((name) => [name, found[name]?.value]));
  const origins = Object.fromEntries(keyNames.map((name) => [name, found[name]?.origin ?? { layer: "default" }]));
  // The kind of each key has made its value.
  return { settings: settings as Settings, origins: origins as Record<Key, Origin>, files };
}

/** Returns the nearest `.mote.json` from the working directory upward, and the user's file. */
function configFiles(env: NodeJS.ProcessEnv, cwd: string): ConfigFile[] {
  const project = nearestProjectFile(cwd);
  const named = env.MOTE_CONFIG;
  if (named && !existsSync(resolve(cwd, named))) {
    const message = `MOTE_CONFIG=${named}: the file does not exist; create it or unset MOTE_CONFIG`;
    throw new MoteError("MOTE_CONFIG", message, { details: { variable: "MOTE_CONFIG" } });
  }
  const { config } = homeFolders(env, userInfo);
  const user = named ? resolve(cwd, named) : config && join(config, "mote", "config.json");
  return [
    ...(project === undefined ? [] : [{ layer: "project", path: project, exists: true } as const]),
    ...(user === undefined ? [] : [{ layer: "user", path: user, exists: existsSync(user) } as const]),
  ];
}

function nearestProjectFile(cwd: string): string | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const file = join(folder, ".mote.json");
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

function fromEnvironment(env: NodeJS.ProcessEnv, cwd: string): Found {
  const found: Found = {};
  for (const key of keyNames) {
    const { variable } = keySpec(key);
    const text = env[variable];
    if (text === undefined || text === "") continue;
    const value = parsed(key, text, (expected) => {
      const message = `${variable}="${redactUrl(text)}" is not valid; use ${expected}`;
      return new MoteError("MOTE_CONFIG", message, { details: { variable, key } });
    });
    found[key] = { value: located(key, value, cwd, env), origin: { layer: "environment", where: variable } };
  }
  return found;
}

function fromFlags(flags: Surroundings["flags"], { env, cwd }: Pick<Surroundings, "env" | "cwd">): Found {
  const found: Found = {};
  for (const key of keyNames) {
    const { flag: first, otherFlag } = keySpec(key);
    const givenBy = (flag: string) => flags[flag] ?? flags[camelCase(flag)];
    const flag = [first, otherFlag].find((each) => each !== undefined && givenBy(each) !== undefined);
    const given = flag && givenBy(flag);
    if (flag === undefined || given === undefined || given === false) continue;
    const text = Array.isArray(given) ? given.join(" ") : String(given);
    const value = parsed(key, text, (expected) => {
      return new UsageError(`--${flag} ${redactUrl(text)} is not valid; use ${expected}`);
    });
    found[key] = { value: located(key, value, cwd, env), origin: { layer: "flag", where: `--${flag}` } };
  }
  return found;
}

function parsed(key: Key, text: string, failure: (expected: string) => Error): unknown {
  const { kind } = keySpec(key);
  try {
    return kind.fromText(text);
  } catch {
    throw failure(kind.expected);
  }
}
