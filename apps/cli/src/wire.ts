import type { Logger } from "@mote/core";
import { logIn as logInWith, openMote } from "@mote/preset";
import type { Context } from "./context.js";

export type { FileInput, TransferEvent, TransferReport } from "@mote/preset";
export { formatRef, hasTransport, logOut, parseRef } from "@mote/preset";

/** The one place where the command's parts are put together. */
export function openHouse(context: Context, options: { readonly cacheOptional?: boolean } = {}) {
  const { dir, plainHttp, signal } = context;
  return openMote({
    dir,
    plainHttp,
    signal,
    cacheOptional: options.cacheOptional ?? false,
    logger: loggerOf(context),
  });
}

export function logIn(context: Context, host: string, login: { readonly username: string; readonly password: string }) {
  const { plainHttp, signal } = context;
  return logInWith(host, login, { plainHttp, signal, logger: loggerOf(context) });
}

function loggerOf({ out }: Context): Logger {
  return { debug() {}, info() {}, warn: (message) => out.warn(message), error: (message) => out.warn(message) };
}
