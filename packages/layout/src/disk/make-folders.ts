import fs from "node:fs";
import { dirname } from "node:path";
import { makeFolders as makeFoldersWith } from "@mote/core";

/** Creates a folder and those above it, and returns the first that was created. @throws as the one of core */
export function makeFolders(path: string): string | undefined {
  return makeFoldersWith(path, { ...fs, dirname });
}
