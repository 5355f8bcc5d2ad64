import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { type CacheCandidates, type Candidate, complete } from "../completion/complete.js";
import { createOutput } from "../output/output.js";
import { escapeText } from "../output/terminal-text.js";
import { isBucket } from "../settings/kinds.js";
import { loadSettings } from "../settings/load-settings.js";
import { table } from "../table.js";
import { openReadOnly, transports } from "../wire.js";

const maxCandidates = 200;

/** Prints completions for the scripts of `mote completion`: `VALUE<tab>ABOUT` lines, and `:files` or `:folders`. Never throws. */
export async function completeForShell(words: readonly string[]): Promise<void> {
  try {
    const { candidates, paths } = await complete(words, table, cacheCandidates(words));
    const lines = candidates
      .map(({ value, about }) => ({ value: escapeText(value), about: escapeText(about) }))
      .map(({ value, about }) => (about === "" ? value : `${value}\t${about}`));
    process.stdout.write([...lines, ...(paths ? [`:${paths}`] : []), ""].join("\n"));
  } catch {
    // An error message would disturb the command line that the user types.
  }
}

function cacheCandidates(words: readonly string[]): CacheCandidates {
  const at = words.lastIndexOf("--cache");
  const cache = at === -1 ? undefined : words[at + 1];
  const open = async () => {
    const { env } = process;
    const loaded = await loadSettings({ env, cwd: process.cwd(), flags: { cache } });
    const out = createOutput({ json: false, quiet: true });
    const { settings } = loaded;
    if (isBucket(settings.cache ?? "")) throw new Error("a bucket is too slow to list at each keystroke");
    return openReadOnly({ out, dir: settings.cache, settings, loaded, signal: new AbortController().signal });
  };
  return {
    prefixes: transports.flatMap(({ prefix, usage }) => (usage ? { value: prefix, about: usage.meaning } : [])),
    async paths(reference) {
      const row = transports.find(({ prefix, path }) => path !== undefined && reference.startsWith(prefix));
      return row && pathsBelow(row.prefix, reference.slice(row.prefix.length), row.path === "folder");
    },
    async names(prefix) {
      await using mote = await open();
      const found: Candidate[] = [];
      for await (const { name } of mote.tags.list({ prefix, limit: maxCandidates })) {
        found.push({ value: name, about: "" });
      }
      return found;
    },
    async digests(prefix) {
      await using mote = await open();
      const found: Candidate[] = [];
      for await (const { digest } of mote.cache.motes?.() ?? []) {
        // As many digits as `mote ls` shows, or more if the user has typed more.
        const shown = digest.slice(0, Math.max(digest.indexOf(":") + 13, prefix.length + 1));
        const value = prefix.includes(":") || prefix === "" ? shown : shown.slice(digest.indexOf(":") + 1);
        if (value.startsWith(prefix) && found.push({ value, about: "" }) >= maxCandidates) break;
      }
      return found;
    },
  };
}

/** Returns the entries of a directory that begin like the path, directories with a slash. */
async function pathsBelow(prefix: string, path: string, onlyFolders: boolean): Promise<readonly Candidate[]> {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const home = homedir();
  const entries = await readdir(folder.replace(/^~\//, `${home}/`) || ".", { withFileTypes: true });
  const begin = path.slice(folder.length);
  const shown = entries.filter(({ name }) => name.startsWith(begin) && (begin !== "" || !name.startsWith(".")));
  const wanted = shown.filter((entry) => !onlyFolders || entry.isDirectory() || entry.isSymbolicLink());
  return wanted
    .slice(0, maxCandidates)
    .map((entry) => ({ value: `${prefix}${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`, about: "" }));
}
