import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { identityPattern, type ProcessIdentity } from "@mote/core";
import { ownIdentity } from "./process-identity.js";

/** The name identifies its process, so that others can tell whether it is in use. Earlier releases left it out. */
const pattern = new RegExp(String.raw`^\.mote-(?:(?:(${identityPattern})-)?[0-9a-f]{16}|archive-[0-9A-Za-z]{6})$`);

/** Returns a new name in `dir` for incomplete data. */
export function temporaryPath(dir: string): string {
  return join(dir, `.mote-${ownIdentity()}-${randomBytes(8).toString("hex")}`);
}

export function isTemporaryName(name: string): boolean {
  return pattern.test(name);
}

/** Returns whether a name looks like such a name, of any release. */
export function isReservedName(name: string): boolean {
  return name.startsWith(".mote-");
}

/** Returns the process that created the name; undefined if unknown. */
export function ownerOf(name: string): ProcessIdentity | undefined {
  return pattern.exec(name)?.[1];
}
