import { BlockList, isIP } from "node:net";
import { domainToASCII } from "node:url";

/** Whether a host, as in URLs, bypasses the proxy. `port` is the actual port. */
export type ProxyExceptions = (host: string, port: number) => boolean;

/**
 * Parses `NO_PROXY` like Go and curl: entries separated by commas or spaces, each `*`, an address, a range, or a domain. All but
 * ranges may have a port. Invalid entries are ignored.
 */
export function proxyExceptions(text: string): ProxyExceptions {
  const matchers = text
    .toLowerCase()
    .split(/[\s,]+/)
    .map(readEntry)
    .filter((matcher) => matcher !== undefined);
  return (host, port) => {
    const name = host
      .toLowerCase()
      .replace(/^\[|\]$/g, "")
      .replace(/\.$/, "");
    return matchers.some((matches) => matches(name, port));
  };
}

function readEntry(entry: string): ProxyExceptions | undefined {
  if (entry === "") return undefined;
  if (entry === "*") return () => true;
  if (entry.includes("/")) return readRange(entry);
  const [, bracketed, plain = "", digits] = /^(?:\[([^\]]*)\]|([^:]*|.*:.*:.*?))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain;
  const isAddress = isIP(entry) !== 0;
  const wanted = isAddress || digits === undefined ? undefined : Number(digits);
  const matches = readHost(isAddress ? entry : host);
  return matches && ((name, port) => (wanted === undefined || wanted === port) && matches(name, port));
}

function readHost(text: string): ProxyExceptions | undefined {
  if (isIP(text) !== 0) return readRange(`${text}/${isIP(text) === 4 ? 32 : 128}`);
  const name = domainToASCII(text.replace(/^\*?\.+/, "").replace(/\.$/, ""));
  return name === "" ? undefined : (host) => host === name || host.endsWith(`.${name}`);
}

function readRange(text: string): ProxyExceptions | undefined {
  const [, address = "", bits = ""] = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return undefined;
  const range = new BlockList();
  range.addSubnet(address, Number(bits), family === 4 ? "ipv4" : "ipv6");
  return (host) => isIP(host) !== 0 && range.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}
