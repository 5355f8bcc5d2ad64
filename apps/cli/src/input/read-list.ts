import fs from "node:fs";
import { collectChunks, MoteError, readRegularFile, reasonOf } from "@mote/core";

/** Reads a list of images from a file, or from stdin for `-`. @throws MOTE_TOO_LARGE · MOTE_IO */
export async function readList(file: string, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  if (file === "-") return decoder.decode(await collectChunks(process.stdin, { maxBytes, what: "the list" }));
  try {
    return decoder.decode(readRegularFile(file, fs, maxBytes));
  } catch (cause) {
    const message = `cannot read ${file}: ${reasonOf(cause)}; check the file and its permissions`;
    throw new MoteError("MOTE_IO", message, { cause });
  }
}
