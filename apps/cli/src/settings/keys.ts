import {
  cacheLocation,
  choice,
  hostNames,
  hosts,
  type Kind,
  mirrors,
  path,
  platform,
  rates,
  redis,
  serverUrl,
  size,
  tier,
  time,
  wholeNumber,
  yesOrNo,
} from "./kinds.js";

export interface KeySpec<T> {
  readonly kind: Kind<T>;
  readonly summary: string;
  /** The environment variable, unless it is the key in capitals, as in `MOTE_MAX_SIZE`. */
  readonly variable?: string;
  /** The option that sets it, without dashes. */
  readonly flag?: string;
  /** Another option that does. */
  readonly otherFlag?: string;
  /** The default, for people. */
  readonly byDefault: string;
  /** A value in a configuration file. */
  readonly example: unknown;
  /** Whether a project's file may set it. Such a file comes with a clone, so the user has not written it. */
  readonly inProject?: true;
}

const key = <T>(spec: KeySpec<T>): KeySpec<T> => spec;

const keys = {
  cache: key({
    kind: cacheLocation,
    summary: "the cache directory, or s3://BUCKET[/PREFIX] for a cache in a bucket",
    variable: "MOTE_CACHE_DIR",
    flag: "cache",
    byDefault: "$XDG_CACHE_HOME/mote or ~/.cache/mote",
    example: "/var/cache/mote",
  }),
  tier: key({
    kind: tier,
    summary:
      "the tier behind the cache: missing content is fetched from it, and content fetched elsewhere is written to it",
    flag: "tier",
    byDefault: "none",
    example: "s3://ci-cache/mote",
  }),
  bic: key({
    kind: redis,
    summary: "the Redis for the blob-info cache, which many machines can share; the address may contain a password",
    flag: "bic",
    byDefault: "a database in the cache directory",
    example: "redis://redis.acme.dev:6379",
  }),
  maxSize: key({
    kind: size,
    summary: "limit on the size of the cache; after a pull, least recently used content is removed in the background",
    byDefault: "no limit",
    example: "20GB",
  }),
  maxUnpacked: key({
    kind: size,
    summary: "limit on the unpacked size of an artifact's directories or of a compressed archive",
    flag: "max-unpacked",
    byDefault: "100GiB",
    example: "1TB",
  }),
  maxEntries: key({
    kind: wholeNumber(1, 999_999_999),
    summary: "limit on the number of files, directories and links in an artifact's directories",
    byDefault: "2000000",
    example: 5_000_000,
  }),
  durability: key({
    kind: choice(["visible", "grouped", "synced"]),
    summary:
      "what is synced to disk when a blob is committed: nothing (visible), its data (grouped), or its data and its name (synced)",
    byDefault: "grouped",
    example: "grouped",
  }),
  platform: key({
    kind: platform,
    summary: "transfer only the images of an index that best match these platforms",
    flag: "platform",
    byDefault: "all platforms",
    example: "linux/amd64",
    inProject: true,
  }),
  concurrency: key({
    kind: wholeNumber(1, 64),
    summary: "number of blobs transferred in parallel",
    flag: "concurrency",
    byDefault: "chosen automatically",
    example: 4,
    inProject: true,
  }),
  connectionsPerBlob: key({
    kind: wholeNumber(1, 16),
    summary: "maximum number of connections for a blob of 1 GiB or more; one is added only while that is faster",
    flag: "connections-per-blob",
    byDefault: "6",
    example: 4,
    inProject: true,
  }),
  withReferrers: key({
    kind: yesOrNo,
    summary: "whether referrers, such as signatures and attestations, are transferred with their image",
    flag: "with-referrers",
    byDefault: "false",
    example: true,
    inProject: true,
  }),
  maxRate: key({
    kind: rates,
    summary:
      "limit on the bytes per second that a command reads, and on those that it sends to registries; or on those of each of these registries. For mote serve, a limit on what it reads from upstreams",
    flag: "limit-rate",
    otherFlag: "max-rate",
    byDefault: "no limit",
    example: { "docker.io": "10MB", "registry.lan:5000": "50MB" },
    inProject: true,
  }),
  retries: key({
    kind: wholeNumber(0, 20),
    summary: "number of times a request is retried after a temporary error",
    byDefault: "4",
    example: 6,
    inProject: true,
  }),
  connectTimeout: key({
    kind: time,
    summary: "time limit for connecting to a registry",
    byDefault: "10s",
    example: "5s",
    inProject: true,
  }),
  answerTimeout: key({
    kind: time,
    summary: "time limit for a registry to start its response to a read request",
    byDefault: "the idle timeout if it is set, otherwise 30s",
    example: "20s",
    inProject: true,
  }),
  idleTimeout: key({
    kind: time,
    summary: "time for which a registry may send nothing",
    byDefault: "1m",
    example: "30s",
    inProject: true,
  }),
  fallbackAfter: key({
    kind: time,
    summary: "time after which a cached image is used if its registry has not responded",
    byDefault: "7s",
    example: "3s",
    inProject: true,
  }),
  minRate: key({
    kind: size,
    summary:
      "minimum transfer rate of a registry in bytes per second, averaged over the idle timeout; 0 means no minimum",
    byDefault: "1KiB",
    example: "4KiB",
    inProject: true,
  }),
  plainHttp: key({
    kind: hosts,
    summary: "registries to use HTTP with instead of TLS; loopback addresses always use HTTP",
    flag: "plain-http",
    byDefault: "none",
    example: ["registry.lan:5000"],
  }),
  insecure: key({
    kind: hosts,
    summary: "registries whose certificates are not verified",
    flag: "insecure",
    byDefault: "none",
    example: ["registry.lan"],
  }),
  ca: key({
    kind: path,
    summary: "PEM file of certificate authorities to trust instead of the default ones",
    flag: "ca",
    byDefault: "those of Node, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, SSL_CERT_DIR and the system",
    example: "/etc/ssl/acme.pem",
  }),
  cert: key({
    kind: path,
    summary: "PEM file of the client certificate for registries",
    flag: "cert",
    byDefault: "none",
    example: "~/.config/mote/client.pem",
  }),
  key: key({
    kind: path,
    summary: "PEM file of the private key of the client certificate",
    flag: "key",
    byDefault: "none",
    example: "~/.config/mote/client.key",
  }),
  certsDir: key({
    kind: path,
    summary: "directory of certificates by host: HOST/*.crt to trust, HOST/NAME.cert and HOST/NAME.key for the client",
    byDefault:
      "those of Podman and Docker, in ~/.config/containers, /etc/containers, ~/.docker and /etc/docker, in this order",
    example: "/etc/mote/certs.d",
  }),
  authFile: key({
    kind: path,
    summary: "file with the credentials of registries, by host, as podman login and docker login write it",
    variable: "REGISTRY_AUTH_FILE",
    byDefault: "those of Podman and Docker",
    example: "/etc/mote/auth.json",
  }),
  mirrors: key({
    kind: mirrors,
    summary: "mirrors to pull from before the registry, by prefix of the reference",
    flag: "mirror",
    byDefault: "none",
    example: { "docker.io": ["mirror.acme.dev"] },
  }),
  allowHost: key({
    kind: hostNames,
    summary: "host names that mote serve accepts requests for, besides IP addresses and localhost",
    flag: "allow-host",
    byDefault: "none on loopback addresses, otherwise any",
    example: ["mirror.acme.dev"],
  }),
  maxConnections: key({
    kind: wholeNumber(1, 1_000_000),
    summary: "limit on simultaneous connections of mote serve",
    flag: "max-connections",
    byDefault: "4096, or fewer if the process cannot open twice as many files",
    example: 500,
  }),
  writeTimeout: key({
    kind: time,
    summary: "time after which mote serve disconnects a client that reads nothing",
    flag: "write-timeout",
    byDefault: "1m",
    example: "30s",
  }),
  advertise: key({
    kind: serverUrl,
    summary: "the URL at which the other mirrors of a fleet reach this mote serve",
    flag: "advertise",
    byDefault: "none: this mirror fetches alone",
    example: "http://10.0.0.7:5000",
  }),
  fleetSecret: key({
    kind: path,
    summary: "file of the secret that the mirrors of a fleet share",
    flag: "fleet-secret",
    byDefault: "the first mirror creates it and stores it in the bucket or Redis",
    example: "/etc/mote/fleet-secret",
  }),
  color: key({
    kind: choice(["auto", "always", "never"]),
    summary: "whether output is colored; if it is not set, NO_COLOR and FORCE_COLOR decide",
    flag: "color",
    byDefault: "auto",
    example: "never",
    inProject: true,
  }),
} as const;

export type Key = keyof typeof keys;
type ValueOf<K extends Key> = (typeof keys)[K] extends KeySpec<infer T> ? T : never;

export type SettingValues = { readonly [K in Key]?: ValueOf<K> | undefined };

/** All keys, in the order of the table. */
export const keyNames = Object.keys(keys) as readonly Key[];

export function isKey(text: string): text is Key {
  return Object.hasOwn(keys, text);
}

export function keySpec(name: Key): KeySpec<unknown> & { readonly variable: string } {
  const variable = `MOTE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  return { variable, ...keys[name] };
}
