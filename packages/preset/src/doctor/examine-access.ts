import { MoteError } from "@mote/core";
import type { AuthFileFindings } from "@mote/registry";
import { connectionOptions } from "../endpoints/registries-options.js";
import { type ExamineOptions, type Finding, finding } from "./finding.js";

/** Checks the stored credentials and the given registries. */
export async function* examineAccess(options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  const { examineCredentials } = await import("@mote/registry");
  const files = await examineCredentials();
  for (const file of files) yield* ofFile(file);
  if (files.length === 0) yield finding("credentials", "ok", "none stored; add some with `mote login HOST`");
  for (const host of options.hosts ?? []) yield await ofRegistry(host, options);
}

function* ofFile({ path, registries, helpers, mode, error }: AuthFileFindings): Generator<Finding> {
  const topic = "credentials";
  if (error !== undefined) {
    yield finding(topic, "fail", error.message);
    return;
  }
  const forWhom = registries.length > 0 ? registries.join(", ") : "no registry";
  // Windows has no permission bits.
  const isOpen = process.platform !== "win32" && (mode & 0o077) !== 0 && registries.length > 0;
  if (isOpen)
    yield finding(topic, "warn", `other users can read ${path} (mode ${mode.toString(8)})`, `chmod 600 ${path}`);
  else yield finding(topic, "ok", `${path}, for ${forWhom}`);
  for (const { program, isFound } of helpers) {
    const helper = `credential helper ${program} (in ${path})`;
    const says = `${helper} is not installed, so its credentials are not used`;
    if (isFound) yield finding(topic, "ok", helper);
    else yield finding(topic, "warn", says, "install it, or remove it from the file");
  }
}

async function ofRegistry(host: string, { plainHttp, registries = {}, signal }: ExamineOptions): Promise<Finding> {
  const { dockerCredentials, examineRegistry, hostCertificates, readRegistry } = await import("@mote/registry");
  const connections = connectionOptions(registries, hostCertificates);
  const credentials = dockerCredentials();
  const place = { registry: host };
  try {
    Object.assign(place, readRegistry(host));
    const found = await examineRegistry(place, credentials, { ...connections, plainHttp, retries: 0, signal });
    const how = found.origin.startsWith("https:") ? "TLS" : "plain HTTP";
    const who = found.hadCredentials
      ? "accepts the stored credentials"
      : found.wantsCredentials
        ? "allows anonymous access"
        : "requires no login";
    const says = `${found.origin} responds over ${how} and ${who} (${Math.round(found.durationMs)} ms)`;
    return finding(host, "ok", says);
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    if (error.code !== "MOTE_UNAUTHORIZED") return finding(host, "fail", error.message);
    const stored = await credentials.get(place.registry).catch(() => undefined);
    const outdated = stored === undefined ? "" : "the stored credentials are out of date; ";
    return finding(host, "fail", error.message, `${outdated}run \`mote login ${place.registry}\``);
  }
}
