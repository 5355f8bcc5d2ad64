import { once } from "node:events";
import { isIP } from "node:net";
import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { parseBytes, parseDurationMs } from "../output/quantity.js";
import { openCache } from "../wire.js";

interface ServeCommandOptions {
  readonly host: string;
  readonly port: string;
  readonly upstream?: readonly string[];
  readonly default?: string;
  readonly fresh: string;
  readonly offline: boolean;
  readonly maxSize?: string;
}

export async function serveCache(context: Context, options: ServeCommandOptions): Promise<void> {
  const { allowHost, maxConnections, writeTimeout } = context.settings;
  const host = readHost(options.host);
  const port = readPort(options.port);
  if (writeTimeout === 0) throw new UsageError("--write-timeout 0 is not valid; use a time above 0, such as 60s");
  const { upstream: upstreams = [], default: defaultUpstream, offline } = options;
  const freshMs = parseDurationMs(options.fresh);
  if (defaultUpstream !== undefined && upstreams.length === 0) {
    throw new UsageError("--default selects an upstream; name it with --upstream, too");
  }
  const maxSize = options.maxSize === undefined ? undefined : parseBytes(options.maxSize);
  await using mote = await openCache(context, maxSize === undefined ? {} : { maxSize });
  await using server = await mote.serve({
    host,
    port,
    allowHosts: allowHost,
    maxConnections,
    writeTimeoutMs: writeTimeout,
    mirror: { upstreams, defaultUpstream, freshMs, offline },
  });
  context.out.result({ url: server.url, dir: context.dir }, [`${server.url} serves ${context.dir}`]);
  context.out.note("Press Ctrl-C to stop.");
  if (!context.signal.aborted) await once(context.signal, "abort");
}

/** Parses an address or host name. Node would take other text as every address of the machine, or as a path. */
function readHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) && /[a-z]/i.test(host);
  if (isIP(host) !== 0 || isName) return host;
  throw new UsageError(`--host ${text} is not an address; use one such as 127.0.0.1, and --port for the port`);
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`--port ${text} is not a port; use 0 to 65535`);
  return port;
}
