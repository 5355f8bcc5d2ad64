import { choice, hostNames, hosts, type Kind, mirrors, path, platform, size, time, wholeNumber } from "./kinds.js";

export interface KeySpec<T> {
  readonly kind: Kind<T>;
  readonly summary: string;
  readonly variable: string;
  /** The option that sets it, without dashes. */
  readonly flag?: string;
  /** What holds where nothing is set, for people. */
  readonly byDefault: string;
  /** As a configuration file would have it. */
  readonly example: unknown;
  /** Whether a project's file may set it, which comes with a clone and is not the user's own word. */
  readonly inProject?: true;
}

const key = <T>(spec: KeySpec<T>): KeySpec<T> => spec;

/** Every setting, by its key in a configuration file. */
const keys = {
  cache: key({
    kind: path,
    summary: "the cache folder",
    variable: "MOTE_CACHE_DIR",
    flag: "cache",
    byDefault: "$XDG_CACHE_HOME/mote, else ~/.cache/mote",
    example: "/var/cache/mote",
  }),
  maxSize: key({
    kind: size,
    summary: "how large the cache may become: after a pull, the least recently used is removed in the background",
    variable: "MOTE_MAX_SIZE",
    byDefault: "no bound",
    example: "20GB",
  }),
  maxUnpacked: key({
    kind: size,
    summary: "how many bytes may come of an artifact's folders, or of a compressed archive, when they are unpacked",
    variable: "MOTE_MAX_UNPACKED",
    flag: "max-unpacked",
    byDefault: "100GiB",
    example: "1TB",
  }),
  maxEntries: key({
    kind: wholeNumber(1, 999_999_999),
    summary: "how many files, folders and links may come of an artifact's folders",
    variable: "MOTE_MAX_ENTRIES",
    byDefault: "2000000",
    example: 5_000_000,
  }),
  durability: key({
    kind: choice(["visible", "grouped", "synced"]),
    summary: "what is synced to the disk before a blob gets its name: nothing, its data, or its name too",
    variable: "MOTE_DURABILITY",
    byDefault: "grouped",
    example: "grouped",
  }),
  platform: key({
    kind: platform,
    summary: "only this platform of an index",
    variable: "MOTE_PLATFORM",
    flag: "platform",
    byDefault: "all of them",
    example: "linux/amd64",
    inProject: true,
  }),
  concurrency: key({
    kind: wholeNumber(1, 64),
    summary: "blobs moved at once",
    variable: "MOTE_CONCURRENCY",
    flag: "concurrency",
    byDefault: "chosen by the transfer",
    example: 4,
    inProject: true,
  }),
  retries: key({
    kind: wholeNumber(0, 20),
    summary: "how often a request is repeated after a fault that may pass",
    variable: "MOTE_RETRIES",
    byDefault: "4",
    example: 6,
    inProject: true,
  }),
  connectTimeout: key({
    kind: time,
    summary: "how long a registry may take to be connected to",
    variable: "MOTE_CONNECT_TIMEOUT",
    byDefault: "10s",
    example: "5s",
    inProject: true,
  }),
  answerTimeout: key({
    kind: time,
    summary: "how long a registry may take to begin its answer to a request that only reads",
    variable: "MOTE_ANSWER_TIMEOUT",
    byDefault: "the idle timeout where that is set, else 30s",
    example: "20s",
    inProject: true,
  }),
  idleTimeout: key({
    kind: time,
    summary: "how long nothing may come from a registry",
    variable: "MOTE_IDLE_TIMEOUT",
    byDefault: "1m",
    example: "30s",
    inProject: true,
  }),
  fallbackAfter: key({
    kind: time,
    summary:
      "how long a registry is asked for an image that is stored under the same name, before the stored one is used",
    variable: "MOTE_FALLBACK_AFTER",
    byDefault: "7s",
    example: "3s",
    inProject: true,
  }),
  minRate: key({
    kind: size,
    summary: "how much a registry has to send each second at least, over the idle timeout; 0 is no bound",
    variable: "MOTE_MIN_RATE",
    byDefault: "1KiB",
    example: "4KiB",
    inProject: true,
  }),
  plainHttp: key({
    kind: hosts,
    summary: "registries that are spoken to in HTTP, not TLS; those on loopback addresses always are",
    variable: "MOTE_PLAIN_HTTP",
    flag: "plain-http",
    byDefault: "none",
    example: ["registry.lan:5000"],
  }),
  insecure: key({
    kind: hosts,
    summary: "registries whose certificate is not checked",
    variable: "MOTE_INSECURE",
    flag: "insecure",
    byDefault: "none",
    example: ["registry.lan"],
  }),
  ca: key({
    kind: path,
    summary: "certificate authorities to trust in place of the usual ones, a file in PEM",
    variable: "MOTE_CA",
    flag: "ca",
    byDefault: "those of Node, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, SSL_CERT_DIR and the system",
    example: "/etc/ssl/acme.pem",
  }),
  cert: key({
    kind: path,
    summary: "a client's certificate to show to registries, a file in PEM",
    variable: "MOTE_CERT",
    flag: "cert",
    byDefault: "none",
    example: "~/.config/mote/client.pem",
  }),
  key: key({
    kind: path,
    summary: "the key of that certificate, a file in PEM",
    variable: "MOTE_KEY",
    flag: "key",
    byDefault: "none",
    example: "~/.config/mote/client.key",
  }),
  certsDir: key({
    kind: path,
    summary: "a folder with certificates by host: HOST/*.crt to trust, HOST/NAME.cert and NAME.key to show",
    variable: "MOTE_CERTS_DIR",
    byDefault:
      "those of Podman and Docker, ~/.config/containers/certs.d before /etc/containers/certs.d, ~/.docker and /etc/docker",
    example: "/etc/mote/certs.d",
  }),
  mirrors: key({
    kind: mirrors,
    summary: "places to pull from before a registry itself, by the beginning of the reference",
    variable: "MOTE_MIRRORS",
    flag: "mirror",
    byDefault: "none",
    example: { "docker.io": ["mirror.acme.dev"] },
  }),
  allowHost: key({
    kind: hostNames,
    summary: "names by which requests may address mote serve, beside IP addresses and localhost",
    variable: "MOTE_ALLOW_HOST",
    flag: "allow-host",
    byDefault: "none on loopback addresses, any elsewhere",
    example: ["mirror.acme.dev"],
  }),
  maxConnections: key({
    kind: wholeNumber(1, 1_000_000),
    summary: "connections that mote serve takes at once",
    variable: "MOTE_MAX_CONNECTIONS",
    flag: "max-connections",
    byDefault: "4096, or less if the process may not open twice as many files",
    example: 500,
  }),
  writeTimeout: key({
    kind: time,
    summary: "how long a client of mote serve may read nothing of what it is sent",
    variable: "MOTE_WRITE_TIMEOUT",
    flag: "write-timeout",
    byDefault: "1m",
    example: "30s",
  }),
  color: key({
    kind: choice(["auto", "always", "never"]),
    summary: "whether output is colored; NO_COLOR and FORCE_COLOR count where it is not set",
    variable: "MOTE_COLOR",
    flag: "color",
    byDefault: "auto",
    example: "never",
    inProject: true,
  }),
} as const;

export type Key = keyof typeof keys;
type ValueOf<K extends Key> = (typeof keys)[K] extends KeySpec<infer T> ? T : never;

export type SettingValues = { readonly [K in Key]?: ValueOf<K> | undefined };

/** In the order of the table. */
export const keyNames = Object.keys(keys) as readonly Key[];

export function isKey(text: string): text is Key {
  return Object.hasOwn(keys, text);
}

export function keySpec(name: Key): KeySpec<unknown> {
  return keys[name];
}
