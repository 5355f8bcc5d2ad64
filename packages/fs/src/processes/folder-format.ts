import { MoteError, parseRecord } from "@mote/core";
import { readPlainFile } from "../disk/plain-file.js";
import { writeAtomically } from "./atomic-file.js";
import type { IngestFiles } from "./ingest-files.js";

export const formatFileName = "format.json";

/** The format version of one of the cache's own folders, in its file `format.json`. */
export class FolderFormat {
  readonly #ingests: IngestFiles;
  readonly #folder: string;
  readonly #format: string;
  readonly #version: number;
  #isKnown = false;

  constructor(ingests: IngestFiles, folder: string, format: string, version: number) {
    this.#ingests = ingests;
    this.#folder = folder;
    this.#format = format;
    this.#version = version;
  }

  /** Writes the file if it does not exist. @throws MOTE_UNSUPPORTED_FORMAT for a version that this release does not know */
  async establish(): Promise<void> {
    if (this.check()) return;
    await writeAtomically(
      this.#ingests,
      this.#path,
      `${JSON.stringify({ format: this.#format, version: this.#version })}\n`,
    );
  }

  /**
   * Returns whether the file exists. Once found, it is not read again.
   * @throws MOTE_UNSUPPORTED_FORMAT for a version that this release does not know
   */
  check(): boolean {
    this.#isKnown ||= this.isThere();
    return this.#isKnown;
  }

  /** As `check`, but reads the file every time. */
  isThere(): boolean {
    const text = readPlainFile(this.#path)?.toString("utf8");
    if (text === undefined) return false;
    const body = parseRecord(text);
    const version = body?.format === this.#format ? body.version : undefined;
    if (version === this.#version) return true;
    throw new MoteError(
      "MOTE_UNSUPPORTED_FORMAT",
      `${this.#path} has version ${String(version ?? "unknown")}, and this release reads version ${this.#version}; use a newer release, or remove ${this.#folder}`,
      { details: { path: this.#path, version } },
    );
  }

  get #path(): string {
    return `${this.#folder}/${formatFileName}`;
  }
}
