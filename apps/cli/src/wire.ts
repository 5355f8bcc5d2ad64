import { openMote } from "@mote/preset";
import type { Context } from "./context.js";

export type { FileInput, TransferEvent, TransferReport } from "@mote/preset";
export { formatRef, hasTransport, parseRef } from "@mote/preset";

/** The one place where the command's parts are put together. */
export function openHouse(context: Context, options: { readonly cacheOptional?: boolean } = {}) {
  const { dir, out, plainHttp, signal } = context;
  return openMote({
    dir,
    plainHttp,
    signal,
    cacheOptional: options.cacheOptional ?? false,
    logger: { debug() {}, info() {}, warn: (message) => out.warn(message), error: (message) => out.warn(message) },
  });
}
