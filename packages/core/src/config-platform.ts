import type { Platform } from "./descriptor.js";

/**
 * Returns the platform in the config of an image (image-spec, config.md, "os" and "architecture"); undefined if it has none, such as that of
 * an artifact or attestation.
 */
export function configPlatform(bytes: Uint8Array): Platform | undefined {
  let config: unknown;
  try {
    config = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  const [os, architecture] = [textOf(config, "os"), textOf(config, "architecture")];
  if (os === undefined || architecture === undefined || os === "unknown") return undefined;
  const [variant, version, features] = [textOf(config, "variant"), textOf(config, "os.version"), featuresOf(config)];
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features.length === 0 ? {} : { "os.features": features }),
  };
}

function textOf(config: unknown, name: string): string | undefined {
  const value = fieldOf(config, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function featuresOf(config: unknown): readonly string[] {
  const value = fieldOf(config, "os.features");
  return Array.isArray(value) ? value.filter((feature) => typeof feature === "string") : [];
}

function fieldOf(config: unknown, name: string): unknown {
  return typeof config === "object" && config !== null && Object.hasOwn(config, name)
    ? Reflect.get(config, name)
    : undefined;
}
