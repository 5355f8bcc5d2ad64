import type { Options } from "./command.js";

export const everywhere: Options = {
  cache: {
    value: "DIR",
    summary:
      "the cache directory (MOTE_CACHE_DIR; default $XDG_CACHE_HOME/mote or ~/.cache/mote), or s3://BUCKET[/PREFIX] for a bucket",
    completes: "folder",
  },
  tier: {
    value: "URL",
    summary: "the tier behind the cache: s3://BUCKET[/PREFIX], docker://HOST/REPOSITORY or a directory (MOTE_TIER)",
  },
  bic: { value: "URL", summary: "a Redis for the blob-info cache, such as redis://HOST:PORT (MOTE_BIC)" },
  json: {
    modes: ["events"],
    summary: "print one JSON document; =events prints a JSON line for each transfer event and for the result",
  },
  quiet: { short: "q", summary: "print no progress or notes" },
  color: {
    value: "WHEN",
    summary: "use colors: auto, always or never (default auto)",
    completes: ["auto", "always", "never"],
  },
  help: { short: "h", summary: "print this help" },
  version: { short: "V", summary: "print the version" },
};

/** How to connect to registries. Every command accepts these, but most ignore them. */
export const registryOptions: Options = {
  "plain-http": { summary: "use HTTP instead of TLS (always on loopback addresses)" },
  insecure: { summary: "do not verify the certificates of registries" },
  ca: { value: "FILE", summary: "trust these certificate authorities (PEM)", completes: "file" },
  cert: { value: "FILE", summary: "use this client certificate (PEM)", completes: "file" },
  key: { value: "FILE", summary: "use this private key of the client certificate (PEM)", completes: "file" },
  mirror: {
    value: "PREFIX=MIRROR",
    many: true,
    summary: "pull references with this prefix from a mirror first, such as docker.io=mirror.acme.dev",
  },
};

export const allEverywhere: Options = { ...everywhere, ...registryOptions };
