import fs from "node:fs";
import { readRegularFile, reasonOf } from "@mote/core";
import { UsageError } from "../input/usage-error.js";
import type { Settings } from "../settings/load-settings.js";

/** The limits on a secret, in characters. */
const minSecretLength = 32;
const maxSecretLength = 1024;
const othersMayRead = 0o077;

/** Checks the options by which `mote serve` is one of several mirrors. @throws UsageError */
export function planFleet(
  { advertise, fleetSecret, tier, bic }: Pick<Settings, "advertise" | "fleetSecret" | "tier" | "bic">,
  { upstreams }: { readonly upstreams: readonly string[] },
) {
  if (advertise === undefined) {
    if (fleetSecret !== undefined) throw new UsageError("--fleet-secret requires --advertise URL");
    return { advertise, secretFile: undefined };
  }
  if (upstreams.length === 0) {
    throw new UsageError("--advertise requires --upstream");
  }
  if (bic === undefined && !tier?.startsWith("s3://")) {
    throw new UsageError("--advertise requires a shared bucket (--tier s3://BUCKET) or Redis (--bic redis://HOST)");
  }
  return { advertise, secretFile: fleetSecret };
}

/** Reads the secret of a fleet. `warn`: called if others can read it, too. @throws UsageError */
export function readFleetSecret(path: string, warn: (message: string) => void): string {
  let secret: string;
  let mode: number;
  try {
    secret = new TextDecoder().decode(readRegularFile(path, fs, 4 * maxSecretLength)).trim();
    mode = fs.statSync(path).mode;
  } catch (cause) {
    throw new UsageError(
      `cannot read ${path}: ${reasonOf(cause)}; check the file of --fleet-secret and its permissions`,
    );
  }
  const isValid = secret.length >= minSecretLength && secret.length <= maxSecretLength && /^[!-~]+$/.test(secret);
  if (!isValid) {
    throw new UsageError(
      `${path} has no valid secret; write ${minSecretLength} to ${maxSecretLength} printable ASCII characters, such as from openssl rand -hex 32`,
    );
  }
  if (process.platform !== "win32" && (mode & othersMayRead) !== 0) {
    warn(`${path} can be read by other users; use chmod 600 ${path}`);
  }
  return secret;
}
