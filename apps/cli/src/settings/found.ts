import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Key, keySpec } from "./keys.js";
import { path } from "./kinds.js";

type Layer = "flag" | "environment" | "project" | "user" | "default";

export interface Origin {
  readonly layer: Layer;
  /** The option, the variable, or `FILE:LINE`. */
  readonly where?: string;
}

export interface ConfigFile {
  readonly layer: "project" | "user";
  readonly path: string;
  readonly exists: boolean;
}

/** What one layer sets. */
export type Found = Partial<Record<Key, { readonly value: unknown; readonly origin: Origin }>>;

/** A path from where it was written: the working folder, or the folder of its configuration file. */
export function located(name: Key, value: unknown, folder: string, home = homedir()): unknown {
  if (keySpec(name).kind !== path || typeof value !== "string") return value;
  return value === "~" || value.startsWith("~/") ? join(home, value.slice(1)) : resolve(folder, value);
}
