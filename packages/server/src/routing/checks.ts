import { type Digest, isRepositoryPath, MoteError, parseDigest, parseRepositoryName } from "@mote/core";
import { ErrorResponse } from "./response.js";

/** Reads the `ns` parameter. Repeated parameters are rejected, because a proxy could use another one. */
export function readNamespace(query: URLSearchParams): string | undefined {
  const [namespace, ...others] = query.getAll("ns");
  if (others.length > 0) throw new ErrorResponse(400, "NAME_INVALID", "ns is given more than once");
  return namespace;
}

/** Checks a `<name>` (distribution-spec, "Pulling manifests"), optionally after the host of a registry and a slash. */
export function checkName(name: string): string {
  const registry = parseRepositoryName(name)?.registry;
  const isInFull = registry !== undefined && (/[.:]/.test(registry) || registry === "localhost");
  if (isInFull || isRepositoryPath(name)) return name;
  throw new ErrorResponse(
    400,
    "NAME_INVALID",
    "the repository name is not valid; use lower-case letters, digits, and . _ - / between them",
  );
}

export function checkDigest(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    throw new ErrorResponse(400, "DIGEST_INVALID", error.message);
  }
}

export function unknownName(name: string): ErrorResponse {
  return new ErrorResponse(404, "NAME_UNKNOWN", "repository not found", { detail: { name } });
}
