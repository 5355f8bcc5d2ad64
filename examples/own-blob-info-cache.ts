// A blob-info cache that stores its facts in a file of JSON lines. `@mote/bic` implements the rules; this file implements only the storage.
// `test/own-blob-info-cache.test.ts` runs the contract tests of `@mote/conformance`.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import {
  applyFact,
  type BlobInfoCacheOptions,
  type FactRows,
  factHeader,
  formatFact,
  MemoryStorage,
  parseFacts,
  type SequenceClock,
  StoredBlobInfoCache,
} from "@mote/bic";

export class FileBlobInfoCache extends StoredBlobInfoCache {
  constructor(path: string, options: BlobInfoCacheOptions = {}) {
    super(() => FileStorage.open(path), options);
  }
}

/** Stores facts in memory and in a file that is replaced after each change. For a single process. */
class FileStorage extends MemoryStorage {
  #path: string | undefined;

  static async open(path: string): Promise<FileStorage> {
    const storage = new FileStorage();
    for await (const fact of existsSync(path) ? parseFacts([readFileSync(path, "utf8")]) : []) {
      storage.write((rows, clock) => {
        clock.reserve(fact.sequence);
        applyFact(rows, fact, { warn() {}, oldestNegativeMs: 0 });
      });
    }
    storage.#path = path;
    return storage;
  }

  override write<Result>(change: (rows: FactRows, clock: SequenceClock) => Result): Result {
    const result = super.write(change);
    if (this.#path === undefined) return result;
    const lines = [...this.chunks(1000)].flat().map(formatFact);
    writeFileSync(`${this.#path}.new`, factHeader + lines.join(""));
    renameSync(`${this.#path}.new`, this.#path);
    return result;
  }
}
