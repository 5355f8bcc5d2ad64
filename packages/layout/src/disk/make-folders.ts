import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolders as makeFoldersWith } from "@mote/core";

// Created once: copying node:fs for each call would cost more than the call.
const calls = { mkdirSync, statSync, dirname };

/** Creates a folder and its parents, and returns the first that was created. @throws as in core */
export function makeFolders(path: string): string | undefined {
  return makeFoldersWith(path, calls);
}
