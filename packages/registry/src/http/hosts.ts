import { MoteError } from "@mote/core";
import { isDockerHub } from "../repository-location.js";

/** Which hosts something holds for: all of them, none, or these, written as references write them (`host`, `host:port`). */
export type Hosts = boolean | readonly string[];

/** Hosts to be asked whether one is among them. */
export interface HostSet {
  has(host: string): boolean;
}

/** @throws MOTE_CONFIG where one is no host; `what` names the setting */
export function hostSet(hosts: Hosts | undefined, what: string): HostSet {
  if (hosts === undefined || typeof hosts === "boolean") return { has: () => hosts === true };
  const names = new Set(hosts.map((host) => canonicalHost(host) ?? notAHost(host, what)));
  return { has: (host) => names.has(canonicalHost(host) ?? "") };
}

/** The host as URLs write it; undefined where the text is none. */
function canonicalHost(host: string): string | undefined {
  const text = `https://${isDockerHub(host) ? "registry-1.docker.io" : host}`;
  return /^[\w.:[\]-]+$/.test(host) && URL.canParse(text) ? new URL(text).host : undefined;
}

function notAHost(host: string, what: string): never {
  throw new MoteError("MOTE_CONFIG", `${what} names a host that is none; write host or host:port`, {
    details: { setting: what, length: host.length },
  });
}
