import { MoteError } from "@mote/core";
import type { AuthFileFindings } from "@mote/registry";
import { connectionOptions } from "../endpoints/registries-options.js";
import type { ExamineOptions, Finding } from "./finding.js";

/** Checks the stored credentials and the given registries. */
export async function* examineAccess(options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  const { examineCredentials } = await import("@mote/registry");
  const files = await examineCredentials();
  for (const file of files) yield* ofFile(file);
  if (files.length === 0)
    yield { topic: "credentials", state: "ok", says: "none stored; add some with `mote login HOST`" };
  for (const host of options.hosts ?? []) yield await ofRegistry(host, options);
}

function* ofFile({ path, registries, helpers, mode, error }: AuthFileFindings): Generator<Finding> {
  const topic = "credentials";
  if (error !== undefined) {
    yield { topic, state: "fail", says: error.message };
    return;
  }
  const forWhom = registries.length > 0 ? registries.join(", ") : "no registry";
  // Windows has no permission bits.
  const isOpen = process.platform !== "win32" && (mode & 0o077) !== 0 && registries.length > 0;
  if (isOpen) {
    yield {
      topic,
      state: "warn",
      says: `other users can read ${path} (mode ${mode.toString(8)})`,
      advice: `chmod 600 ${path}`,
    };
  } else yield { topic, state: "ok", says: `${path}, for ${forWhom}` };
  for (const { program, isFound } of helpers) {
    if (isFound) yield { topic, state: "ok", says: `credential helper ${program} (in ${path})` };
    else
      yield {
        topic,
        state: "warn",
        says: `credential helper ${program} (in ${path}) is not installed, so its credentials are not used`,
        advice: "install it, or remove it from the file",
      };
  }
}

async function ofRegistry(host: string, { plainHttp, registries = {}, signal }: ExamineOptions): Promise<Finding> {
  const topic = host;
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
    return {
      topic,
      state: "ok",
      says: `${found.origin} responds over ${how} and ${who} (${Math.round(found.durationMs)} ms)`,
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return { topic, state: "fail", says: error.message, ...(await adviceFor(error, place.registry)) };
  }

  async function adviceFor({ code }: MoteError, registry: string): Promise<{ advice?: string }> {
    if (code !== "MOTE_UNAUTHORIZED") return {};
    const stored = await credentials.get(registry).catch(() => undefined);
    return {
      advice:
        stored === undefined
          ? `run \`mote login ${registry}\``
          : `the stored credentials are out of date; run \`mote login ${registry}\``,
    };
  }
}
