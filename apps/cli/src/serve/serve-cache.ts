import { once } from "node:events";
import { hasCode } from "@mote/core";
import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { openCache, openExchange, openPasswordAccess } from "../wire.js";
import { AccessLog } from "./access-log.js";
import type { ServePlan } from "./serve-plan.js";

/** How this process is one of several that serve together. */
export interface WorkerRole {
  /** Tells the parent that this process serves. */
  readonly ready: (url: string) => void;
}

/** Serves the cache until the process is interrupted, and lets transfers end. */
export async function serveCache(
  context: Context,
  plan: ServePlan & { readonly fleetSecret?: string },
  worker?: WorkerRole,
): Promise<void> {
  const { out, dir, signal } = context;
  const { access: accessOptions, maxSize } = plan;
  await using access = accessOptions && (await openPasswordAccess(context, accessOptions));
  // An interrupt must not abort the fetches that clients are reading.
  const running = new AbortController();
  await using mote = await openCache({ ...context, signal: running.signal }, maxSize === undefined ? {} : { maxSize });
  const log = plan.accessLog ? new AccessLog() : undefined;
  const serving = mote.serve({
    ...plan.server,
    fleetSecret: plan.fleetSecret,
    access,
    version: MOTE_VERSION,
    exchange: worker && (await openExchange()),
    ...(log === undefined ? {} : { onRequest: (request) => log.add(request) }),
  });
  await using server = await serving.catch((error: unknown) => {
    // Only --upstream and --default are references.
    throw hasCode(error, "MOTE_INVALID_REFERENCE") ? new UsageError(error.message) : error;
  });
  const reload = () => {
    server.reloadTls();
    access?.reload();
  };
  // Otherwise SIGHUP ends the process, as the end of a terminal does.
  if (plan.isReloadable) process.on("SIGHUP", reload);
  if (worker === undefined) {
    out.result({ url: server.url, dir }, [`${server.url} serves ${dir}`]);
    out.note("Press Ctrl-C to stop.");
  } else worker.ready(server.url);
  if (!signal.aborted) await once(signal, "abort");
  if (worker === undefined)
    out.note(`Stopping; transfers may end within ${plan.graceText}. Press Ctrl-C again to stop immediately.`);
  await server.drain();
  await log?.flush();
  process.off("SIGHUP", reload);
}
