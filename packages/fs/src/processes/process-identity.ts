import fs from "node:fs";
import { type ProcessIdentity, processIdentities } from "@mote/core";

export const { ownIdentity, livenessOf, describeProcess } = processIdentities({ files: fs, process });

/** Returns the process that owns a file named `owner.serial`. */
export function ownerOf(name: string): ProcessIdentity {
  return name.split(".")[0] ?? "";
}
