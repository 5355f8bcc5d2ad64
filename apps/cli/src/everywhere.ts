import type { Options } from "./command.js";

/** The options of every command. */
export const everywhere: Options = {
  cache: {
    value: "DIR",
    summary: "the cache folder (MOTE_CACHE_DIR; default $XDG_CACHE_HOME/mote, else ~/.cache/mote)",
    completes: "folder",
  },
  json: {
    modes: ["events"],
    summary: "print one JSON document; =events: a line of JSON for each event of a transfer, and one for the result",
  },
  quiet: { short: "q", summary: "no progress, no notes" },
  "plain-http": { summary: "speak HTTP, not TLS, to registries (on loopback addresses: always)" },
  help: { short: "h", summary: "this help" },
  version: { short: "V", summary: "the version" },
};
