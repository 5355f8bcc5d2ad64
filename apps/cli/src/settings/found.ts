import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { homeFolders, MoteError } from "@mote/core";
import { type Key, keySpec } from "./keys.js";
import { cacheLocation, isBucket, path, tier } from "./kinds.js";

type Layer = "flag" | "environment" | "project" | "user" | "default";

export interface Origin {
  readonly layer: Layer;
  /** The flag, the variable, or `FILE:LINE`. */
  readonly where?: string;
}

export interface ConfigFile {
  readonly layer: "project" | "user";
  readonly path: string;
  readonly exists: boolean;
}

/** The settings of one layer. */
export type Found = Partial<Record<Key, { readonly value: unknown; readonly origin: Origin }>>;

/** Returns the value. A path becomes absolute: `~` is the home directory, other paths are relative to `folder`. @throws MOTE_CONFIG */
export function located(name: Key, value: unknown, folder: string, env: NodeJS.ProcessEnv): unknown {
  if (typeof value !== "string") return value;
  const { kind } = keySpec(name);
  const isPath =
    kind === path || (kind === cacheLocation && !isBucket(value)) || (kind === tier && !value.includes("://"));
  if (!isPath) return value;
  if (value !== "~" && !value.startsWith("~/")) return resolve(folder, value);
  const { home } = homeFolders(env, userInfo);
  if (home === undefined) {
    const message = `cannot resolve ${name}=${value}: no home directory; set HOME or use an absolute path`;
    throw new MoteError("MOTE_CONFIG", message, { details: { key: name } });
  }
  return join(home, value.slice(1));
}
