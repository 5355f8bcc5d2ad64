import { join } from "node:path";

/** Whether the text says itself how its place is reached. A colon in a file's name does not. */
export function hasTransport(text: string): boolean {
  return /^[a-z]+:\/\/|^(?:oci|oci-archive|docker-archive|dir|tarball|docker-daemon|containers-storage):/.test(text);
}

/**
 * The path of a plain folder, where the text names one: it has no transport, and ends in a slash, is `.`, `..` or `~`, or
 * begins with `./`, `../`, `/` or `~/`. Anything else is a reference: `models/llama` is one, of a registry.
 */
export function plainFolder(text: string, { home }: { readonly home: string }): string | undefined {
  const isFolder = /^(?:\.{1,2}|~)?\/|^(?:\.{1,2}|~)$/.test(text) || (text.endsWith("/") && !text.includes(":"));
  if (hasTransport(text) || !isFolder) return undefined;
  return text === "~" || text.startsWith("~/") ? join(home, text.slice(1)) : text;
}
