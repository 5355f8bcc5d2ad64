// A blob-info cache of your own: one that keeps what it knows in a file of JSON lines. The rules are those of `@mote/bic`, and only the
// storage below them is here. `test/own-blob-info-cache.test.ts` runs the contract of `@mote/conformance` against it.
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

/** Facts in memory, and a copy of them in a file that is replaced after each change. For one process. */
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
