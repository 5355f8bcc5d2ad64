import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { MoteError } from "@mote/core";
import { isText, readAuthFile } from "./auth-file.js";
import { defaultPaths, type Environment } from "./auth-paths.js";
import { helperProgram } from "./credential-helper.js";

/** A credentials file, without its secrets. */
export interface AuthFileFindings {
  readonly path: string;
  /** Registries with a stored login. */
  readonly registries: readonly string[];
  /** The credential helpers it names, and whether they are installed. */
  readonly helpers: readonly { readonly program: string; readonly isFound: boolean }[];
  /** Permission bits. Only its owner should have access. */
  readonly mode: number;
  /** Why it is unreadable: MOTE_CONFIG. */
  readonly error?: MoteError;
}

/** Examines the existing credentials files, in lookup order. Runs no credential helper. */
export async function examineCredentials(env: Environment = process.env): Promise<AuthFileFindings[]> {
  const findings: AuthFileFindings[] = [];
  for (const path of new Set(defaultPaths(env).map((one) => one.path))) {
    const mode = modeOf(path);
    if (mode === undefined) continue;
    try {
      const file = await readAuthFile(path);
      const stores = [file?.credsStore, ...Object.values(file?.credHelpers ?? {})].filter(isText);
      const helpers = [...new Set(stores)].map((name) => {
        const program = helperProgram(name);
        return { program, isFound: isOnPath(program, env) };
      });
      findings.push({ path, registries: Object.keys(file?.auths ?? {}), helpers, mode });
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
      findings.push({ path, registries: [], helpers: [], mode, error: error });
    }
  }
  return findings;
}

/** Returns undefined if the file does not exist, or is in another user's folder. */
function modeOf(path: string): number | undefined {
  try {
    return statSync(path).mode & 0o777;
  } catch {
    return undefined;
  }
}

function isOnPath(program: string, env: Environment): boolean {
  const names = process.platform === "win32" ? [`${program}.exe`, `${program}.cmd`] : [program];
  const folders = (env.PATH ?? "").split(delimiter).filter(isText);
  return folders.some((folder) => names.some((name) => isExecutable(join(folder, name))));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
