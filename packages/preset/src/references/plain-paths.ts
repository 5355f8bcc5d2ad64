import { join } from "node:path";
import { knownTransports } from "@mote/ref";

/** Returns whether a text begins with a transport. A colon in a file's name is not one. */
export function hasTransport(text: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text)) return true;
  const row = knownTransports.find(text.slice(0, Math.max(0, text.indexOf(":"))));
  return row !== undefined && text.startsWith(row.prefix);
}

/**
 * Returns the path of a plain folder if the text names one: without a transport, and ending in `/`, or beginning as paths do (`./`, `../`, `/`, `
 * /`).
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
  /** Why it is not clear, and what to write instead. */
  readonly reason: string;
  /** Whether it names a registry's host, as `ghcr.io/acme/app` does and `acme/app` does not. */
  readonly hasHost: boolean;
}

/** Returns what else a destination may mean that would be a registry though nothing says so; undefined if it is clear. */
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
