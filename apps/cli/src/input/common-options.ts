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
  color: { value: "WHEN", summary: "auto, always or never", completes: ["auto", "always", "never"] },
  help: { short: "h", summary: "this help" },
  version: { short: "V", summary: "the version" },
};

/** How registries are reached: every command takes these, too, but most have no use for them. */
export const registryOptions: Options = {
  "plain-http": { summary: "speak HTTP, not TLS, to registries (on loopback addresses: always)" },
  insecure: { summary: "do not check the registries' certificates" },
  ca: { value: "FILE", summary: "trust these certificate authorities, in PEM", completes: "file" },
  cert: { value: "FILE", summary: "show this client's certificate, in PEM", completes: "file" },
  key: { value: "FILE", summary: "the key of that certificate, in PEM", completes: "file" },
  mirror: {
    value: "PREFIX=MIRROR",
    many: true,
    summary: "pull what begins so from there first, such as docker.io=mirror.acme.dev",
  },
};

export const allEverywhere: Options = { ...everywhere, ...registryOptions };
