import { isIP } from "node:net";
import { MoteError } from "@mote/core";

/** Hosts that a setting applies to: all, none, or these, as in references (`host`, `host:port`). */
export type Hosts = boolean | readonly string[];

export interface HostSet {
  has(host: string): boolean;
}

/** @throws MOTE_CONFIG if one is not a valid host; `what` names the setting */
export function hostSet(hosts: Hosts | undefined, what: string): HostSet {
  if (hosts === undefined || typeof hosts === "boolean") return { has: () => hosts === true };
  const names = new Set(hosts.map((host) => canonicalHost(host) ?? notAHost(host, what)));
  return { has: (host) => names.has(canonicalHost(host) ?? "") };
}

/** Returns the host as in URLs; undefined if it is not valid. */
function canonicalHost(host: string): string | undefined {
  const text = `https://${isDockerHub(host) ? "registry-1.docker.io" : host}`;
  return /^[\w.:[\]-]+$/.test(host) && URL.canParse(text) ? new URL(text).host : undefined;
}

function notAHost(host: string, what: string): never {
  throw new MoteError("MOTE_CONFIG", `${what} has a host that is not valid; write host or host:port`, {
    details: { setting: what, length: host.length },
  });
}

export function isDockerHub(registry: string): boolean {
  return registry === "docker.io" || registry === "index.docker.io" || registry === "registry-1.docker.io";
}

/** 127.0.0.0/8, ::1 and localhost, with or without a port. */
export function isLoopback(host: string): boolean {
  const name = host
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return isIP(name) === 4 ? name.startsWith("127.") : name === "::1" || name === "0:0:0:0:0:0:0:1";
}
