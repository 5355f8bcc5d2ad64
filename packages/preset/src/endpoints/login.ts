import type { Cancellable } from "@mote/core";
import type { OpenMoteOptions } from "../mote.js";
import { connectionOptions } from "./registries-options.js";

export type LogInOptions = Pick<OpenMoteOptions, "plainHttp" | "registries" | "logger"> & Cancellable;

export interface LoggedIn {
  /** As in references. */
  readonly registry: string;
  /** The file, or the program of the credential helper. */
  readonly keptIn: string;
  /** False if the registry allows anonymous access and did not check the password. */
  readonly isChecked: boolean;
}

/**
 * Checks a password with a registry, and stores it where `docker login` and `podman login` would.
 * @throws MOTE_UNAUTHORIZED · MOTE_INVALID_REFERENCE · MOTE_CONFIG · MOTE_UNREACHABLE · MOTE_TIMEOUT · MOTE_REGISTRY …
 */
export async function logIn(
  host: string,
  login: { readonly username: string; readonly password: string },
  { plainHttp, registries = {}, logger, signal }: LogInOptions = {},
): Promise<LoggedIn> {
  const { checkCredentials, hostCertificates, readRegistry, saveCredentials } = await import("@mote/registry");
  const place = readRegistry(host);
  const credentials = { kind: "password", ...login } as const;
  const connections = connectionOptions(registries, hostCertificates);
  const isChecked = await checkCredentials(place, credentials, { ...connections, plainHttp, logger, signal });
  const keptIn = await saveCredentials(place.registry, credentials, { signal, logger });
  return { registry: place.registry, keptIn, isChecked };
}

/**
 * Removes the stored credentials of a registry. Returns the files and helper programs that had some.
 * @throws MOTE_INVALID_REFERENCE · MOTE_CONFIG
 */
export async function logOut(
  host: string,
  { signal, logger }: Pick<LogInOptions, "signal" | "logger"> = {},
): Promise<{ readonly registry: string; readonly erased: readonly string[] }> {
  const { eraseCredentials, readRegistry } = await import("@mote/registry");
  const { registry } = readRegistry(host);
  return { registry, erased: await eraseCredentials(registry, { signal, logger }) };
}
