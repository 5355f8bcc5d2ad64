import { type CacheCandidates, type Candidate, complete } from "../completion/complete.js";
import { createOutput } from "../output/output.js";
import { escapeText } from "../output/terminal-text.js";
import { loadSettings } from "../settings/load-settings.js";
import { table } from "../table.js";
import { openReadOnly, transports } from "../wire.js";

const maxCandidates = 200;

/** Prints completions for the scripts of `mote completion`: a line `VALUE<tab>ABOUT` for each candidate, and `:files` or `:folders`. Never throws. */
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
    return openReadOnly({ out, dir: settings.cache, settings, loaded, signal: new AbortController().signal });
  };
  return {
    prefixes: transports.flatMap(({ prefix, usage }) => (usage ? { value: prefix, about: usage.meaning } : [])),
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
