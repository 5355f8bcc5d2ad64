import { MoteError, parseRecord } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { readPlainFile } from "../disk/plain-file.js";

export const formatFileName = "format.json";

/** The format version of one of the cache's own folders, in its file `format.json`. */
export class FolderFormat {
  readonly #folder: string;
  readonly #format: string;
  readonly #version: number;
  readonly #write: (path: string, text: string) => Promise<void>;
  #isKnown = false;

  constructor(
    folder: string,
    options: {
      readonly format: string;
      readonly version: number;
      readonly write: (path: string, text: string) => Promise<void>;
    },
  ) {
    this.#folder = folder;
    this.#format = options.format;
    this.#version = options.version;
    this.#write = options.write;
  }

  /** Writes the file if it does not exist. @throws MOTE_UNSUPPORTED_FORMAT for a version that this release does not know */
  async establish(): Promise<void> {
    if (this.check()) return;
    await this.#write(this.#path, `${JSON.stringify({ format: this.#format, version: this.#version })}\n`);
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
    let text: string | undefined;
    try {
      text = readPlainFile(this.#path)?.toString("utf8");
    } catch (error) {
      throw fileError(error, "read", this.#path);
    }
    if (text === undefined) return false;
    const version = this.#versionOf(text);
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

  #versionOf(text: string): unknown {
    const body = parseRecord(text);
    return body?.format === this.#format ? body.version : undefined;
  }
}
