import fs from "node:fs";
import { readRegularFile } from "@mote/core";

/** Reads a small text file named by a user or configuration. @throws as `readRegularFile` of core */
export function readPlainFile(path: string, maxBytes: number): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(readRegularFile(path, fs, maxBytes));
}
