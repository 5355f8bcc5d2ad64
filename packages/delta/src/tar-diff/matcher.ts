/** A stretch of content that resembles a stretch of OLD of the same length, which begins at `old`. */
export interface Match<P extends Piece> {
  readonly fresh: number;
  readonly old: number;
  readonly length: number;
  /** Where `old` is. */
  readonly piece: P;
}

/** A range of the matcher's OLD bytes that matches must not leave. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

/** The hash covers as many bytes. */
const hashedBytes = 8;
const headBits = 20;
/** Every so many positions of OLD are indexed, and all of the content are looked up. */
const step = 4;
/** How many places with the same hash are compared. */
const maxCandidates = 24;
/** Equal bytes at which a match is not left. */
const sameRun = 16;
/** How many more bytes a match elsewhere must have. */
const betterBytes = 6;
const maxScored = 256;
/** How far a place is compared before it is chosen. A match that is longer is continued anyway. */
const maxCompared = 1024;
/** Positions between yields. */
const indexedPerTurn = 128 * 1024;
const scannedPerTurn = 16 * 1024;

/**
 * Finds what content shares with OLD, even if bytes in between differ, as bsdiff does: from a common stretch a match is extended in both
 * directions while most bytes are equal. Common stretches of at least eleven bytes are found.
 */
export class Matcher<P extends Piece> {
  readonly old: Uint8Array;
  readonly #heads = new Int32Array(1 << headBits);
  readonly #next: Int32Array;
  #pieces: readonly P[] = [];

  /** @param maxOldBytes memory is twice as much */
  constructor(maxOldBytes: number) {
    this.old = new Uint8Array(maxOldBytes);
    this.#next = new Int32Array(Math.ceil(maxOldBytes / step));
  }

  /** Indexes `old`. Yields at intervals, for other work. @param pieces in order, adjoining, from 0 */
  *index(pieces: readonly P[]): Generator<void, void, undefined> {
    this.#pieces = pieces;
    this.#heads.fill(-1);
    const end = (pieces.at(-1)?.end ?? 0) - hashedBytes;
    for (let from = 0; from <= end; from += indexedPerTurn) {
      this.#indexRange(from, Math.min(from + indexedPerTurn - 1, end));
      yield;
    }
  }

  /** Yields matches in order, which do not overlap, or undefined at intervals, for other work. @param start where OLD probably continues */
  *match(fresh: Uint8Array, start: number | undefined): Generator<Match<P> | undefined, void, undefined> {
    const end = fresh.byteLength;
    let piece = start === undefined ? undefined : this.#pieceAt(start);
    // The current match, and up to where it was extended.
    let fromFresh = 0;
    let fromOld = start ?? 0;
    let scan = 0;
    let turn = scannedPerTurn;
    while (scan < end) {
      const found = this.#scan(fresh, scan, Math.min(end, scan + turn), fromOld - fromFresh, piece);
      turn -= found.scan - scan;
      scan = found.scan;
      if (turn <= 0) {
        turn = scannedPerTurn;
        yield undefined;
      }
      if (found.place === undefined && scan < end) continue;
      let forward = this.#extend(fresh, fromFresh, fromOld, Math.min(scan - fromFresh, (piece?.end ?? 0) - fromOld));
      if (found.place === undefined) {
        if (piece !== undefined && forward > 0) yield { fresh: fromFresh, old: fromOld, length: forward, piece };
        return;
      }
      const { old, length, piece: next } = found.place;
      let backward = this.#extendBack(fresh, scan, old, Math.min(scan - fromFresh, old - next.start));
      const overlap = fromFresh + forward - (scan - backward);
      if (overlap > 0) {
        const kept = this.#split(
          fresh,
          fromFresh + forward - overlap,
          fromOld + forward - overlap,
          old - backward,
          overlap,
        );
        forward -= overlap - kept;
        backward -= kept;
      }
      if (piece !== undefined && forward > 0) yield { fresh: fromFresh, old: fromOld, length: forward, piece };
      fromFresh = scan - backward;
      fromOld = old - backward;
      piece = next;
      scan += length;
    }
    const forward = this.#extend(fresh, fromFresh, fromOld, Math.min(end - fromFresh, (piece?.end ?? 0) - fromOld));
    if (piece !== undefined && forward > 0) yield { fresh: fromFresh, old: fromOld, length: forward, piece };
  }

  /** Looks from `scan` on for a place that is better than to continue with the current match. `place` is undefined if there is none before `stop`. */
  #scan(fresh: Uint8Array, from: number, stop: number, offset: number, piece: P | undefined): Found<P> {
    const { old } = this;
    const heads = this.#heads;
    const nexts = this.#next;
    const end = fresh.byteLength;
    const alignedEnd = Math.min(end, (piece?.end ?? 0) - offset);
    let scan = from;
    while (scan < stop) {
      let run = scan;
      while (run < alignedEnd && fresh[run] === old[run + offset]) run++;
      if (run - scan >= sameRun) {
        scan = run;
        continue;
      }
      if (scan + hashedBytes > end) return { scan: end, place: undefined };
      const comparedEnd = Math.min(end, scan + maxCompared);
      let best = 0;
      let bestOld = -1;
      let candidate = heads[hashAt(fresh, scan)] as number;
      for (let tries = maxCandidates; candidate >= 0 && tries > 0; tries--) {
        if (fresh[scan + best] === old[candidate + best]) {
          let length = 0;
          while (scan + length < comparedEnd && fresh[scan + length] === old[candidate + length]) length++;
          if (length > best) {
            best = length;
            bestOld = candidate;
            if (scan + length === comparedEnd) break;
          }
        }
        candidate = nexts[candidate / step] as number;
      }
      const found = best < hashedBytes ? undefined : this.#pieceAt(bestOld);
      if (found !== undefined && (found !== piece || bestOld - scan !== offset)) {
        best = Math.min(best, found.end - bestOld);
        const scored = Math.min(best, maxScored);
        let score = 0;
        const scoredEnd = Math.min(scan + scored, alignedEnd);
        for (let at = scan; at < scoredEnd; at++) if (fresh[at] === old[at + offset]) score++;
        if (scored > score + betterBytes) return { scan, place: { old: bestOld, length: best, piece: found } };
      }
      scan = Math.max(scan + 1, run);
    }
    return { scan, place: undefined };
  }

  #indexRange(first: number, last: number): void {
    const { old } = this;
    const heads = this.#heads;
    const nexts = this.#next;
    for (let at = first; at <= last; at += step) {
      // Of a run of equal bytes the first positions suffice.
      if (at > 0 && old[at] === old[at - 1] && isRun(old, at)) continue;
      const hash = hashAt(old, at);
      nexts[at / step] = heads[hash] as number;
      heads[hash] = at;
    }
  }

  /** Returns the length up to which the most bytes are equal, less those that differ. */
  #extend(fresh: Uint8Array, fromFresh: number, fromOld: number, limit: number): number {
    const { old } = this;
    let score = 0;
    let best = 0;
    let length = 0;
    for (let at = 0; at < limit; at++) {
      score += fresh[fromFresh + at] === old[fromOld + at] ? 1 : -1;
      if (score > best) {
        best = score;
        length = at + 1;
      }
    }
    return length;
  }

  #extendBack(fresh: Uint8Array, fromFresh: number, fromOld: number, limit: number): number {
    const { old } = this;
    let score = 0;
    let best = 0;
    let length = 0;
    for (let at = 1; at <= limit; at++) {
      score += fresh[fromFresh - at] === old[fromOld - at] ? 1 : -1;
      if (score > best) {
        best = score;
        length = at;
      }
    }
    return length;
  }

  /** Returns how much of an overlap of two matches the first keeps. */
  #split(fresh: Uint8Array, fromFresh: number, first: number, second: number, overlap: number): number {
    const { old } = this;
    let score = 0;
    let best = 0;
    let kept = 0;
    for (let at = 0; at < overlap; at++) {
      if (fresh[fromFresh + at] === old[first + at]) score++;
      if (fresh[fromFresh + at] === old[second + at]) score--;
      if (score > best) {
        best = score;
        kept = at + 1;
      }
    }
    return kept;
  }

  #pieceAt(position: number): P {
    const pieces = this.#pieces;
    let low = 0;
    let high = pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((pieces[middle] as Piece).start <= position) low = middle;
      else high = middle - 1;
    }
    return pieces[low] as P;
  }
}

interface Found<P extends Piece> {
  readonly scan: number;
  readonly place: Omit<Match<P>, "fresh"> | undefined;
}

function hashAt(bytes: Uint8Array, at: number): number {
  const low =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  const high =
    (bytes[at + 4] as number) |
    ((bytes[at + 5] as number) << 8) |
    ((bytes[at + 6] as number) << 16) |
    ((bytes[at + 7] as number) << 24);
  const mixed = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77);
  return Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae3d) >>> (32 - headBits);
}

function isRun(bytes: Uint8Array, at: number): boolean {
  for (let each = at + 1; each < at + hashedBytes; each++) if (bytes[each] !== bytes[at]) return false;
  return true;
}
