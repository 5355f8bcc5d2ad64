import type { FileHandle } from "node:fs/promises";
import { type Cancellable, digestAlgorithm, ifFound, MoteError } from "@mote/core";
import { hashFile } from "../disk/chunks.js";
import { identityOf, openFile, type ReadHandle } from "../disk/opened-file.js";
import type { ArchivePart } from "./part-list.js";

/** The parts of an archive as one file. Opens a part when it is read. */
export class PartsHandle implements ReadHandle {
  readonly #parts: readonly (ArchivePart & { readonly start: number })[];
  readonly #opened = new Map<string, Promise<FileHandle>>();
  readonly size: number;

  constructor(parts: readonly ArchivePart[]) {
    let start = 0;
    this.#parts = parts.map((part) => {
      const placed = { ...part, start };
      start += part.size;
      return placed;
    });
    this.size = start;
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    let bytesRead = 0;
    for (const part of this.#parts) {
      const within = position + bytesRead - part.start;
      if (within < 0 || within >= part.size) continue;
      const handle = await this.#open(part.path);
      const wanted = Math.min(length - bytesRead, part.size - within);
      if (wanted === 0) break;
      const { bytesRead: read } = await handle.read(buffer, offset + bytesRead, wanted, within);
      bytesRead += read;
      if (read < wanted) break;
    }
    return { bytesRead };
  }

  async stat(): Promise<{ size: number }> {
    return { size: this.size };
  }

  /** Identifies the files of all parts. @throws MOTE_NOT_FOUND · MOTE_IO */
  async identity(): Promise<string> {
    const identities: string[] = [];
    for (const { path } of this.#parts) identities.push(await identityOf(await this.#open(path)));
    return identities.join(" ");
  }

  async close(): Promise<void> {
    for (const opened of this.#opened.values()) await (await opened.catch(() => undefined))?.close();
    this.#opened.clear();
  }

  #open(path: string): Promise<FileHandle> {
    const opened = this.#opened.get(path) ?? openFile(path).then(({ handle }) => handle);
    this.#opened.set(path, opened);
    return opened;
  }
}

/** Checks that the parts are there, and match their checksums. @throws MOTE_CORRUPT with the bad parts in `details.parts` · MOTE_IO */
export async function assertParts(archive: string, parts: readonly ArchivePart[], options: Cancellable): Promise<void> {
  const bad: { readonly path: string; readonly reason: "missing" | "damaged" }[] = [];
  for (const { path, size, digest } of parts) {
    const file = await ifFound(openFile(path));
    try {
      if (file === undefined) bad.push({ path, reason: "missing" });
      else if (
        file.size !== size ||
        (await hashFile(file, path, { algorithm: digestAlgorithm(digest), ...options })) !== digest
      )
        bad.push({ path, reason: "damaged" });
    } finally {
      await file?.handle.close();
    }
  }
  if (bad.length === 0) return;
  const shown = bad.slice(0, 20).map(({ path, reason }) => `${path} is ${reason}`);
  const message = `cannot read the archive ${archive}: ${shown.join(", ")}; copy ${bad.length === 1 ? "this part" : "these parts"} again`;
  throw new MoteError("MOTE_CORRUPT", message, { details: { path: archive, parts: bad } });
}
