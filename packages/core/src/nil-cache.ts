import type { MoteCache } from "./capabilities.js";
import { createDigester, type Digest, type Digester, digestAlgorithm, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";

import type { CommitMode, Mote, MoteInfo, MoteReader, MoteReaderAt, MoteWriter, PruneReport } from "./mote.js";

/** Caching switched off: keeps nothing. Its writers still check size and digest, so that what passes through is verified. */
export class NilCache implements MoteCache {
  readonly #pending = new Map<Digest, Mote[]>();

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

  /** Empty: a mote is nowhere. */
  moteRef(digest: Digest): string {
    parseDigest(digest);
    return "";
  }

  async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    const mote: Mote = { digest: parseDigest(digest), mediaType, ...(size === undefined ? {} : { size }) };
    this.#pending.set(digest, [...(this.#pending.get(digest) ?? []), mote]);
    return mote;
  }

  async moteWriter(digest: Digest): Promise<MoteWriter> {
    const [mote, ...rest] = this.#pending.get(parseDigest(digest)) ?? [];
    if (mote === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not pending: call createMote first`);
    if (rest.length > 0) this.#pending.set(digest, rest);
    else this.#pending.delete(digest);
    return new CheckingWriter(mote);
  }

  async moteReader(digest: Digest): Promise<MoteReader> {
    throw absent(parseDigest(digest));
  }

  async moteReaderAt(digest: Digest): Promise<MoteReaderAt> {
    throw absent(parseDigest(digest));
  }

  /** Does nothing; a `move` leaves the file too, as nothing took it over. */
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

class CheckingWriter implements MoteWriter {
  readonly #mote: Mote;
  readonly #digester: Digester;
  #bytesWritten = 0;
  #ended = false;
  #closing: Promise<MoteInfo> | undefined;

  constructor(mote: Mote) {
    this.#mote = mote;
    this.#digester = createDigester(digestAlgorithm(mote.digest));
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    this.#digester.update(bytes);
    this.#bytesWritten += bytes.byteLength;
    if (this.#bytesWritten > (this.#mote.size ?? Number.POSITIVE_INFINITY)) throw this.#wrongSize();
  }

  close(): Promise<MoteInfo> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<MoteInfo> {
    this.#assertOpen();
    this.#ended = true;
    const { digest, mediaType, size } = this.#mote;
    if (size !== undefined && this.#bytesWritten !== size) throw this.#wrongSize();
    const actual = this.#digester.digest();
    if (actual !== digest) {
      throw new MoteError("MOTE_DIGEST_MISMATCH", `expected ${digest}, and the bytes hash to ${actual}`, {
        details: { digest, actual },
      });
    }
    return { digest, mediaType, size: this.#bytesWritten };
  }

  async abort(): Promise<void> {
    this.#ended = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  #assertOpen(): void {
    if (this.#ended) throw new MoteError("MOTE_CLOSED", `the writer of ${this.#mote.digest} has ended`);
  }

  #wrongSize(): MoteError {
    const { digest, size } = this.#mote;
    return new MoteError("MOTE_SIZE_MISMATCH", `${digest} has ${size} bytes, and ${this.#bytesWritten} came`, {
      details: { digest, expected: size, actual: this.#bytesWritten },
    });
  }
}

function absent(digest: Digest): MoteError {
  return new MoteError("MOTE_NOT_FOUND", `${digest} is not here: caching is switched off`, { details: { digest } });
}
