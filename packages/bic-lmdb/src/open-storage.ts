import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { FactStorage, Logger } from "@mote/core";
import { LmdbStorage } from "./lmdb-storage.js";

/** Opens the file at `path`, or begins it. */
export async function openStorage(path: string, _logger: Logger): Promise<FactStorage> {
  const { open } = await import("lmdb");
  mkdirSync(dirname(path), { recursive: true });
  const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: "binary", encoding: "binary" });
  return new LmdbStorage(db, { path, readOnly: false });
}
