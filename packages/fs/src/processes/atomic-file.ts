import fs from "node:fs";
import { syncData } from "../disk/file-calls.js";
import { fileError } from "../disk/file-error.js";
import { removeIfPossible } from "../disk/plain-file.js";
import type { IngestFiles } from "./ingest-files.js";

/** Replaces a small file atomically: a reader sees the old text or the new one, even after a power failure. */
export async function writeAtomically(ingests: IngestFiles, path: string, text: string): Promise<void> {
  const temporary = ingests.newPath("file", "tmp");
  try {
    const fd = ingests.create(temporary);
    try {
      fs.writeFileSync(fd, text);
      await syncData(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, path);
  } catch (error) {
    removeIfPossible(temporary);
    throw fileError(error, "write", path);
  }
}

/** As `writeAtomically`, for data that can be recreated: a power failure may truncate it. */
export function writeUnsynced(ingests: IngestFiles, path: string, content: string | Uint8Array): void {
  const temporary = ingests.newPath("file", "tmp");
  try {
    ingests.write(temporary, content);
    fs.renameSync(temporary, path);
  } catch (error) {
    removeIfPossible(temporary);
    throw fileError(error, "write", path);
  }
}
