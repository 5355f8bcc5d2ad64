import { MoteError } from "@mote/core";

/** What a URL says about how Redis is reached. */
export interface RedisAddress {
  readonly kind: "single" | "cluster" | "sentinel";
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly isTls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  /** The name of the master that Sentinel watches. */
  readonly master?: string;
  /** The address without credentials, for messages. */
  readonly name: string;
}

const schemes = /^(rediss?)(?:-(cluster|sentinel))?:\/\//i;

/** Parses a URL. @throws MOTE_CONFIG; neither the message nor its details have the password */
export function parseRedisUrl(url: string): RedisAddress {
  const [start, scheme = "", kind] = schemes.exec(url) ?? [];
  if (start === undefined)
    throw invalid("it does not begin with redis://, rediss:// or one of their -cluster and -sentinel forms");
  const rest = url.slice(start.length);
  const isTls = scheme.toLowerCase() === "rediss";
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const path = end < 0 ? "" : rest.slice(end).replace(/^\//, "");
  const at = authority.lastIndexOf("@");
  const [username, password] = at < 0 ? [] : credentials(authority.slice(0, at));
  const port = kind?.toLowerCase() === "sentinel" ? 26_379 : 6_379;
  const hosts = authority
    .slice(at + 1)
    .split(",")
    .map((text) => parseHost(text, port));
  const names = hosts.map((each) =>
    each.host.includes(":") ? `[${each.host}]:${each.port}` : `${each.host}:${each.port}`,
  );
  const login = { ...(username ? { username } : {}), ...(password === undefined ? {} : { password }) };
  const common = { hosts, isTls, ...login, name: `Redis at ${names.join(", ")}` };
  if (kind === undefined) {
    if (hosts.length > 1) throw invalid("it has several hosts; use redis-cluster:// or redis-sentinel://");
    return { ...common, kind: "single", db: parseDb(path) };
  }
  if (kind.toLowerCase() === "cluster") {
    if (path !== "") throw invalid("a cluster has no databases; remove the path");
    return { ...common, kind: "cluster", db: 0 };
  }
  const [master = "", db = "", ...more] = path.split("/");
  if (master === "" || more.length > 0) throw invalid("for Sentinel its path must be /NAME or /NAME/DB");
  return { ...common, kind: "sentinel", master: decode(master), db: parseDb(db) };
}

function parseHost(text: string, defaultPort: number): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@\s]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) throw invalid("a host is not valid; use HOST or HOST:PORT");
  return { host, port: number };
}

function credentials(text: string): [username: string, password: string] {
  const colon = text.indexOf(":");
  return colon < 0 ? [decode(text), ""] : [decode(text.slice(0, colon)), decode(text.slice(colon + 1))];
}

function parseDb(text: string): number {
  if (text === "") return 0;
  if (!/^\d{1,6}$/.test(text)) throw invalid("its path must be the number of a database");
  return Number(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("a percent sign is not followed by two hexadecimal digits");
  }
}

function invalid(why: string): MoteError {
  return new MoteError("MOTE_CONFIG", `the URL of Redis is not valid: ${why}`);
}
