import { once } from "node:events";
import { isIP } from "node:net";
import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { openCache } from "../wire.js";

export async function serveCache(
  context: Context,
  options: { readonly host: string; readonly port: string },
): Promise<void> {
  const { allowHost, maxConnections, writeTimeout } = context.settings;
  const host = readHost(options.host);
  const port = readPort(options.port);
  if (writeTimeout === 0) throw new UsageError("--write-timeout 0: a time above 0 is needed, such as 60s");
  await using mote = await openCache(context);
  await using server = await mote.serve({
    host,
    port,
    allowHosts: allowHost,
    maxConnections,
    writeTimeoutMs: writeTimeout,
  });
  context.out.result({ url: server.url, dir: context.dir }, [`${server.url} serves ${context.dir}`]);
  context.out.note("Stop it with Ctrl-C.");
  if (!context.signal.aborted) await once(context.signal, "abort");
}

/** An address, or a name of one: what Node takes for anything else would be every address of the machine, or a path. */
function readHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) && /[a-z]/i.test(host);
  if (isIP(host) !== 0 || isName) return host;
  throw new UsageError(`--host ${text}: not an address; write one such as 127.0.0.1, and the port as --port PORT`);
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new UsageError(`--port ${text}: not a port; use 0 to 65535`);
  return port;
}
