import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { identityPattern, type ProcessIdentity } from "@mote/core";
import { ownIdentity } from "./process-identity.js";

/** The process that made it, in the name: whoever finds it can tell whether it is still in use. Earlier releases left it out. */
const pattern = new RegExp(String.raw`^\.mote-(?:(?:(${identityPattern})-)?[0-9a-f]{16}|archive-[0-9A-Za-z]{6})$`);

/** A new name in `dir` for something that is not complete yet. */
export function temporaryPath(dir: string): string {
  return join(dir, `.mote-${ownIdentity()}-${randomBytes(8).toString("hex")}`);
}

export function isTemporaryName(name: string): boolean {
  return pattern.test(name);
}

/** Whether a name might be taken for such a name, by this release or another. */
export function isReservedName(name: string): boolean {
  return name.startsWith(".mote-");
}

/** The process that made what has this name; undefined if the name does not say. */
export function ownerOf(name: string): ProcessIdentity | undefined {
  return pattern.exec(name)?.[1];
}
