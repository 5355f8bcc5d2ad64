import { assertByteCount } from "./byte-count.js";
import { type Digest, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";
import type { Mote } from "./mote.js";

/** A backend's motes between `createMote` and `moteWriter`. Each is good for one writer. */
export class PendingMotes {
  readonly #pending = new Map<Digest, Mote[]>();

  /** @param size in bytes @throws MOTE_INVALID_DIGEST · TypeError for a size that is not a number of bytes */
  create(digest: Digest, mediaType: string, size?: number): Mote {
    parseDigest(digest);
    assertByteCount(size);
    const mote: Mote = { digest, mediaType, ...(size === undefined ? {} : { size }) };
    this.#pending.set(digest, [...(this.#pending.get(digest) ?? []), mote]);
    return mote;
  }

  /** Takes the mote that was created first. @throws MOTE_NOT_FOUND if there is none */
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
