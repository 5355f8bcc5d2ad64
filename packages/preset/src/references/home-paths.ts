import { userInfo } from "node:os";
import { homeFolders, MoteError, type Ref } from "@mote/core";
import { parseRef } from "@mote/ref";
import { plainFolder } from "./plain-paths.js";

/**
 * Parses a reference as a person writes it: `~` at the front of a path is the home folder.
 * @throws MOTE_INVALID_REFERENCE, also where there is no home folder that `~` could stand for
 */
export function parsePersonalRef(text: string): Ref {
  return parseRef(text, { home: homeFor(text) });
}

/** Returns the path of the plain folder that the text names, if it names one. @throws MOTE_INVALID_REFERENCE as above */
export function personalFolder(text: string): string | undefined {
  return plainFolder(text, { home: homeFor(text) ?? "~" });
}

/** What there is to say where a cache is wanted, and nothing says where it is. */
export function noCacheFolder(): MoteError {
  const message = "there is no home folder to keep the cache in; name a folder with --cache DIR or MOTE_CACHE_DIR";
  return new MoteError("MOTE_CONFIG", message);
}

/** Without a home folder `~` would be a folder of that name. */
function homeFor(text: string): string | undefined {
  const { home } = homeFolders(process.env, userInfo);
  const tilde = /^(?:[a-z-]+:(?:\/\/)?)?~(?:[/\\]|$)/.test(text) ? text.indexOf("~") : -1;
  if (home !== undefined || tilde < 0) return home;
  const reason = "there is no home folder for ~";
  throw new MoteError("MOTE_INVALID_REFERENCE", `${text}: ${reason}; set HOME, or write the whole path`, {
    details: { text, position: tilde, reason },
  });
}
