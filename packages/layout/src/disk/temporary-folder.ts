import { mkdirSync, utimes } from "node:fs";
import { rm } from "node:fs/promises";
import { writeFailed } from "./file-error.js";
import { removeOrphans } from "./orphans.js";
import { temporaryPath } from "./temporary-name.js";

const aliveEveryMs = 60_000;

/** A hidden folder for incomplete data, removed on dispose, with orphans of this user's killed processes in the same parent. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #cleaning: Promise<void>;

  /** @param location the path that errors name @throws MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO */
  constructor(parent: string, location: string = parent) {
    this.path = temporaryPath(parent);
    try {
      mkdirSync(this.path, { mode: 0o700 });
    } catch (error) {
      throw writeFailed(error, location);
    }
    // Shows that it is in use. Its users notice if it is gone.
    this.#heartbeat = setInterval(() => utimes(this.path, new Date(), new Date(), () => {}), aliveEveryMs).unref();
    this.#cleaning = removeOrphans(parent, { uid: process.geteuid?.() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#cleaning;
    await rm(this.path, { recursive: true, force: true });
  }
}
