import { userInfo } from "node:os";
import { homeFolders, MoteError } from "@mote/core";
import { invalidReference } from "./invalid-reference.js";
import { plainFolder } from "./plain-paths.js";

/** Returns the path if the text is that of a plain folder. @throws MOTE_INVALID_REFERENCE as `homeFor` */
export function personalFolder(text: string): string | undefined {
  return plainFolder(text, { home: homeFor(text) ?? "~" });
}

/** Returns the error for a cache whose location is unknown. */
export function noCacheFolder(): MoteError {
  const message = "cannot choose a cache folder: there is no home folder; set --cache DIR or MOTE_CACHE_DIR";
  return new MoteError("MOTE_CONFIG", message);
}

/** Returns the folder that `~` stands for. @throws MOTE_INVALID_REFERENCE if the text begins with `~` and there is no home folder */
export function homeFor(text: string): string | undefined {
  const { home } = homeFolders(process.env, userInfo);
  const tilde = /^(?:[a-z-]+:(?:\/\/)?)?~(?:[/\\]|$)/.test(text) ? text.indexOf("~") : -1;
  if (home !== undefined || tilde < 0) return home;
  const reason = "there is no home folder for ~";
  throw invalidReference(text, `${text}: ${reason}; set HOME, or use an absolute path`, reason, tilde);
}
