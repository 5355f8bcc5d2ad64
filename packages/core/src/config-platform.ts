import type { Platform } from "./descriptor.js";
import { parseRecord } from "./json-document.js";

/**
 * Returns the platform in the config of an image (image-spec, config.md, "os" and "architecture"); undefined if it has none, such as that of
 * an artifact or attestation.
 */
export function configPlatform(bytes: Uint8Array): Platform | undefined {
  const config = parseRecord(new TextDecoder().decode(bytes)) ?? {};
  const [os, architecture] = [textOf(config.os), textOf(config.architecture)];
  if (os === undefined || architecture === undefined || os === "unknown") return undefined;
  const [variant, version] = [textOf(config.variant), textOf(config["os.version"])];
  const given: unknown = config["os.features"];
  const features = Array.isArray(given) ? given.filter((feature) => typeof feature === "string") : [];
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features.length === 0 ? {} : { "os.features": features }),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
