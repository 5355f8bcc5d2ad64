import { rm } from "node:fs/promises";
import type { TemporaryFolder } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import type { IngestFiles } from "./ingest-files.js";

/** Makes a folder beside the ingest files. If this process dies, the next one removes it like an ingest file without a writer. */
export function makeTemporaryFolder(ingests: IngestFiles): TemporaryFolder {
  const path = ingests.newPath("file", "tmp");
  try {
    ingests.folder.makeFolderBelow(path);
  } catch (error) {
    throw fileError(error, "write", path);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
