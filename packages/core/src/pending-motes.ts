import { assertByteCount } from "./check-arguments.js";
import { type Digest, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";
import type { Mote } from "./mote.js";

/** Holds the motes of a backend between `createMote` and `moteWriter`. */
export class PendingMotes {
  readonly #pending = new Map<Digest, Mote[]>();

  /** Creates a pending mote. @param size in bytes @throws MOTE_INVALID_DIGEST · TypeError for an invalid size */
  create(digest: Digest, mediaType: string, size?: number): Mote {
    parseDigest(digest);
    assertByteCount(size);
    const mote: Mote = { digest, mediaType, ...(size === undefined ? {} : { size }) };
    this.#pending.set(digest, [...(this.#pending.get(digest) ?? []), mote]);
    return mote;
  }

  /** Removes and returns the oldest pending mote with the digest. @throws MOTE_NOT_FOUND */
  take(digest: Digest): Mote {
    const [mote, ...others] = this.#pending.get(parseDigest(digest)) ?? [];
    if (mote === undefined) throw new MoteError("MOTE_NOT_FOUND", `${digest} is not pending; call createMote first`);
    if (others.length > 0) this.#pending.set(digest, others);
    else this.#pending.delete(digest);
    return mote;
  }

  clear(): void {
    this.#pending.clear();
  }
}
