import { join } from "node:path";
import { knownTransports } from "@mote/ref";

/** Returns whether the text begins with a known transport, or any `scheme://`. */
export function hasTransport(text: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text)) return true;
  const row = knownTransports.find(text.slice(0, Math.max(0, text.indexOf(":"))));
  return row !== undefined && text.startsWith(row.prefix);
}

/**
 * Returns the path of a plain folder if the text has no transport and ends in `/`, or begins with `./`, `../`, `/` or `~/`.
 */
export function plainFolder(text: string, { home }: { readonly home: string }): string | undefined {
  if (!isPlainFolder(text)) return undefined;
  return text === "~" || text.startsWith("~/") ? join(home, text.slice(1)) : text;
}

function isPlainFolder(text: string): boolean {
  const isFolder = /^(?:\.{1,2}|~)?\/|^(?:\.{1,2}|~)$/.test(text) || (text.endsWith("/") && !text.includes(":"));
  return isFolder && !hasTransport(text);
}

export interface BareDestination {
  /** Why it is ambiguous, and what to write instead. */
  readonly reason: string;
  /** Whether it contains the host of a registry, like `ghcr.io/acme/app`, but not `acme/app`. */
  readonly hasHost: boolean;
}

/** Returns why a destination without a transport is ambiguous; undefined if it is not. */
export function bareDestination(text: string): BareDestination | undefined {
  if (hasTransport(text) || isPlainFolder(text)) return undefined;
  if (/^sha(?:256|384|512):[^/]*$/.test(text)) {
    return {
      reason: `${text}: a digest does not say where; write docker://HOST/NAME, oci:DIR or ./DIR/`,
      hasHost: false,
    };
  }
  const name = text.replace(/\/+$/, "");
  const host = name.slice(0, Math.max(0, name.indexOf("/")));
  return {
    reason: `${text}, which may be a registry or a folder: write docker://${name} or ./${name}/`,
    hasHost: /[.:A-Z]/.test(host) || host === "localhost",
  };
}
