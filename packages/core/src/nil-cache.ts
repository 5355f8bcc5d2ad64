import type { MoteCache } from "./capabilities.js";
import { type Digest, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";
import type { CommitMode, Mote, MoteInfo, MoteReader, MoteReaderAt, MoteWriter, PruneReport } from "./mote.js";
import { PendingMotes } from "./pending-motes.js";
import { VerifyingWriter } from "./verifying-writer.js";

/** A cache that stores nothing. Its writers verify size and digest, so transfers work without caching. */
export class NilCache implements MoteCache {
  readonly #pending = new PendingMotes();

  async initialize(): Promise<void> {}

  isDirty(): boolean {
    return false;
  }

  async refresh(): Promise<boolean> {
    return false;
  }

  async update(): Promise<void> {}

  async moteExists(digest: Digest): Promise<boolean> {
    parseDigest(digest);
    return false;
  }

  async find(digest: Digest): Promise<MoteInfo | undefined> {
    parseDigest(digest);
    return undefined;
  }

  /** Returns an empty string. */
  moteRef(digest: Digest): string {
    parseDigest(digest);
    return "";
  }

  async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    return this.#pending.create(digest, mediaType, size);
  }

  async moteWriter(digest: Digest): Promise<MoteWriter> {
    return new VerifyingWriter(this.#pending.take(digest));
  }

  async moteReader(digest: Digest): Promise<MoteReader> {
    throw absent(parseDigest(digest));
  }

  async moteReaderAt(digest: Digest): Promise<MoteReaderAt> {
    throw absent(parseDigest(digest));
  }

  /** Does nothing. `move` keeps the file, because it was not stored. */
  async commitMote(_source: string, mote: Mote, _mode: CommitMode): Promise<void> {
    parseDigest(mote.digest);
  }

  async removeMote(digest: Digest): Promise<void> {
    parseDigest(digest);
  }

  async prune(): Promise<PruneReport> {
    return {
      removed: [],
      removedBytes: 0,
      freedBytes: 0,
      remainingBytes: 0,
      untagged: [],
      skipped: [],
      reached: true,
      dryRun: false,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pending.clear();
  }
}

function absent(digest: Digest): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${digest} is not stored: caching is disabled`, { details: { digest } });
}
