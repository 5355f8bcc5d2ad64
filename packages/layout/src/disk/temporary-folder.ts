import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { keepAlive, removeOrphans } from "./orphans.js";
import { temporaryPath } from "./temporary-name.js";

/** A hidden folder for incomplete data, removed on dispose, with orphans of this user's killed processes in the same parent. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;
  readonly #alive: { stop(): void };
  readonly #cleaning: Promise<void>;

  /** @throws file system errors */
  constructor(parent: string) {
    this.path = temporaryPath(parent);
    mkdirSync(this.path, { mode: 0o700 });
    this.#alive = keepAlive(this.path);
    this.#cleaning = removeOrphans(parent, { uid: process.geteuid?.() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#alive.stop();
    await this.#cleaning;
    await rm(this.path, { recursive: true, force: true });
  }
}
