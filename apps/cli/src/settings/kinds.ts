import { formatPlatform, isRecord, parsePlatform } from "@mote/core";
import { parseBytes, parseDurationMs } from "../output/quantity.js";

/** The kind of value of a setting. Both parsers throw an Error for a value that is not valid. */
export interface Kind<T> {
  /** What is expected, for a message, such as `a size, such as 10GB`. */
  readonly expected: string;
  /** Parses a flag or an environment variable. */
  fromText(text: string): T;
  /** Parses a value of a configuration file. */
  fromJson(value: unknown): T;
  /** The JSON Schema of a value in a file. */
  readonly schema: object;
}

export type Hosts = boolean | readonly string[];
/** Bytes per second, of all registries together or by registry. */
export type Rates = number | Readonly<Record<string, number>>;
export type Mirrors = Readonly<Record<string, readonly string[]>>;

function kind<T>(spec: Omit<Kind<T>, "fromJson"> & Partial<Pick<Kind<T>, "fromJson">>): Kind<T> {
  const fromJson = (value: unknown) => {
    if (typeof value !== "string" || value === "") throw new TypeError("not a string");
    return spec.fromText(value);
  };
  return { fromJson, ...spec };
}

/** A path. The caller resolves `~` and relative paths. */
export const path = kind<string>({
  expected: "a path",
  fromText(text) {
    if (text === "") throw new RangeError("empty");
    return text;
  },
  schema: { type: "string", minLength: 1 },
});

/** A cache. The caller resolves a path. */
export const cacheLocation = kind<string>({
  expected: "a directory or s3://BUCKET[/PREFIX]",
  fromText(text) {
    if (text === "" || (/^s3:/i.test(text) && !/^s3:\/\/[^/]/.test(text))) throw new RangeError("not a cache");
    return text;
  },
  schema: { type: "string", minLength: 1 },
});

/** Returns whether a cache is in a bucket, and not in a directory. */
export function isBucket(cache: string): boolean {
  return cache.startsWith("s3://");
}

/** A tier. The caller resolves a path. */
export const tier = kind<string>({
  expected: "s3://BUCKET[/PREFIX], docker://HOST/REPOSITORY or a directory",
  fromText(text) {
    if (!/^(?:s3:\/\/[^/]|docker:\/\/[^/]|(?![a-z][a-z0-9+.-]*:).)/is.test(text)) throw new RangeError("not a tier");
    return text;
  },
  schema: { type: "string", minLength: 1 },
});

/** The address of a Redis. */
export const redis = kind<string>({
  expected: "the address of a Redis, such as redis://HOST:PORT",
  fromText(text) {
    if (!/^rediss?(?:-cluster|-sentinel)?:\/\/[^/]/i.test(text)) throw new RangeError("not an address of Redis");
    return text;
  },
  schema: { type: "string", pattern: "^rediss?(-cluster|-sentinel)?://." },
});

/** A URL of this server, without a path. */
export const serverUrl = kind<string>({
  expected: "http://HOST:PORT or https://HOST:PORT",
  fromText(text) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isPlain = url !== undefined && url.href === `${url.origin}/`;
    if (!isPlain || !/^https?:$/.test(url.protocol)) throw new RangeError("not the URL of a server");
    return url.origin;
  },
  schema: { type: "string", pattern: "^https?://." },
});

export const size = kind<number>({
  expected: "a size, such as 10GB or 512MiB",
  fromText: parseBytes,
  fromJson: (value) => (typeof value === "number" ? atLeastZero(value) : parseBytes(text(value))),
  schema: { type: ["string", "integer"], minimum: 0 },
});

export const time = kind<number>({
  expected: "a time, such as 30s or 5m",
  fromText: parseDurationMs,
  schema: { type: "string" },
});

export const platform = kind<string>({
  expected:
    "a platform, such as linux/arm64, linux/arm/v6 or windows(10.0.20348)/amd64, or several with commas between them",
  fromText: (given) =>
    given
      .split(",")
      .map((one) => formatPlatform(parsePlatform(one)))
      .join(","),
  schema: {
    type: "string",
    pattern: String.raw`^[\w-]+(\([\w.%-]*(\+[\w.%-]+)*\))?(/[\w.-]+){0,2}(,[\w-]+(\([\w.%-]*(\+[\w.%-]+)*\))?(/[\w.-]+){0,2})*$`,
  },
});

export function wholeNumber(minimum: number, maximum: number): Kind<number> {
  const within = (value: unknown) => {
    const isGood = typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum;
    if (!isGood) throw new RangeError("out of range");
    return value;
  };
  return {
    expected: `a whole number from ${minimum} to ${maximum}`,
    fromText: (given) => within(/^\d{1,9}$/.test(given) ? Number(given) : undefined),
    fromJson: within,
    schema: { type: "integer", minimum, maximum },
  };
}

export function choice<const C extends string>(choices: readonly C[]): Kind<C> {
  return kind({
    expected: `one of ${choices.join(", ")}`,
    fromText(given) {
      const chosen = choices.find((one) => one === given);
      if (chosen === undefined) throw new RangeError("not a choice");
      return chosen;
    },
    schema: { enum: choices },
  });
}

export const yesOrNo: Kind<boolean> = {
  expected: "true or false",
  fromText(given) {
    if (given !== "true" && given !== "false" && given !== "1" && given !== "0") throw new RangeError("not a boolean");
    return given === "true" || given === "1";
  },
  fromJson(value) {
    if (typeof value !== "boolean") throw new TypeError("not a boolean");
    return value;
  },
  schema: { type: "boolean" },
};

const host = /^[A-Za-z0-9.[\]_-]+(:\d+)?$/;

/** Registries: all, none, or a list. */
export const hosts: Kind<Hosts> = {
  expected: "true, false, or hosts, such as registry.acme.dev:5000",
  fromText(given) {
    if (given === "true" || given === "1") return true;
    if (given === "false" || given === "0") return false;
    return given.split(",").map((one) => matching(one.trim(), host));
  },
  fromJson: (value) => (typeof value === "boolean" ? value : listOf(value, host)),
  schema: { anyOf: [{ type: "boolean" }, { type: "array", items: { type: "string" } }] },
};

/** Rates: one for all registries, or one for each that is named. */
export const rates: Kind<Rates> = {
  expected: "a size, such as 10MB, or registries with sizes, such as docker.io=10MB",
  fromText(given) {
    if (!given.includes("=")) return rate(given);
    const pairs = given.split(/[\s,]+/).filter(Boolean);
    return Object.fromEntries(
      pairs.map((pair) => {
        const [, name, size] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
        return [matching(name, host), rate(size)];
      }),
    );
  },
  fromJson(value) {
    if (!isRecord(value)) return rate(value);
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [matching(name, host), rate(one)]));
  },
  schema: {
    anyOf: [
      { type: ["string", "integer"], minimum: 1 },
      { type: "object", additionalProperties: { type: ["string", "integer"], minimum: 1 } },
    ],
  },
};

function rate(value: unknown): number {
  const bytes = size.fromJson(value);
  if (bytes === 0) throw new RangeError("nothing could be read");
  return bytes;
}

const hostName = /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,253}[A-Za-z0-9_])?\.?(:\d{1,5})?$/;

/** Host names, with a port to accept only that one. */
export const hostNames: Kind<readonly string[]> = {
  expected: "host names, such as mirror.lan or mirror.lan:5000",
  fromText: (given) => given.split(/[\s,]+/).map((one) => matching(one, hostName)),
  fromJson: (value) => listOf(value, hostName),
  schema: { type: "array", items: { type: "string" } },
};

/** Mirrors by prefix, such as `docker.io=mirror.acme.dev quay.io=mirror.acme.dev/quay`. A repeated prefix adds a mirror. */
export const mirrors: Kind<Mirrors> = {
  expected: "PREFIX=MIRROR, such as docker.io=mirror.acme.dev",
  fromText(given) {
    const found: Record<string, readonly string[]> = {};
    for (const pair of given.split(/\s+/).filter(Boolean)) {
      const [, prefix = "", mirror = ""] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
      if (mirror === "") throw new RangeError("not a pair");
      found[prefix] = [...(found[prefix] ?? []), mirror];
    }
    return found;
  },
  fromJson(value) {
    if (!isRecord(value)) throw new TypeError("not an object");
    return Object.fromEntries(
      Object.entries(value).map(([prefix, urls]) => [prefix, (Array.isArray(urls) ? urls : [urls]).map(text)]),
    );
  },
  schema: {
    type: "object",
    additionalProperties: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] },
  },
};

function matching(value: unknown, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value)) throw new RangeError("not of this form");
  return value;
}

function listOf(value: unknown, pattern: RegExp): string[] {
  if (!Array.isArray(value)) throw new TypeError("not a list");
  return value.map((one) => matching(one, pattern));
}

function text(value: unknown): string {
  return matching(value, /./);
}

function atLeastZero(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError("not a number of bytes");
  return value;
}
