import { once } from "node:events";
import type { Context } from "../context.js";
import { UsageError } from "../usage-error.js";
import { openHouse } from "../wire.js";

export async function serveCache(
  context: Context,
  options: { readonly host: string; readonly port: string },
): Promise<void> {
  const port = Number(options.port);
  if (!/^\d+$/.test(options.port) || port > 65_535) throw new UsageError(`--port ${options.port}: wants 0 to 65535`);
  await using mote = await openHouse(context);
  await using server = await mote.serve({ host: options.host, port });
  context.out.result({ url: server.url, dir: context.dir }, [`${server.url} serves ${context.dir}`]);
  context.out.note("Stop it with Ctrl-C.");
  if (!context.signal.aborted) await once(context.signal, "abort");
}
