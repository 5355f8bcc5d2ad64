import type { Cancellable } from "@mote/core";
import type { OldFile } from "./old-file.js";

/** A hash of so many bytes decides whether a position is an anchor. */
const anchorBytes = 32;
const maxAnchors = 1_000_000;
const readBytes = 256 * 1024;
/** Positions beyond are not indexed. */
const maxPosition = 2 ** 32;

/** Finds files of OLD that resemble content, by their names and by positions that the content itself chooses. Memory is bounded, whatever the size of OLD. */
export class OldIndex {
  readonly #files: readonly OldFile[];
  readonly #byName = new Map<string, number>();
  readonly #byContent = new Map<number, number>();
  readonly #anchorShift: number;
  readonly #slots: number;
  readonly #keys: Uint32Array;
  readonly #fileOf: Uint32Array;
  readonly #positions: Uint32Array;

  private constructor(files: readonly OldFile[]) {
    this.#files = files;
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const bits = Math.max(9, Math.ceil(Math.log2(Math.max(1, bytes / maxAnchors))));
    this.#anchorShift = 32 - bits;
    this.#slots = 2 ** Math.ceil(Math.log2(Math.max(1024, (1.3 * bytes) / 2 ** bits)));
    this.#keys = new Uint32Array(this.#slots);
    this.#fileOf = new Uint32Array(this.#slots);
    this.#positions = new Uint32Array(this.#slots);
  }

  static async read(old: Iterable<OldFile>, { signal }: Cancellable): Promise<OldIndex> {
    const index = new OldIndex([...old]);
    const buffer = new Uint8Array(readBytes);
    for (const [number, file] of index.#files.entries()) {
      for (const name of generalNames(file.path)) if (!index.#byName.has(name)) index.#byName.set(name, number);
      const hash = new ContentHash();
      const finder = new AnchorFinder(index.#anchorShift);
      for (let at = 0; at < file.size; at += readBytes) {
        signal?.throwIfAborted();
        const bytes = await file.read(at, readBytes, buffer);
        hash.update(bytes);
        finder.find(bytes, (key, end) => index.#add(key, number, at + end - anchorBytes));
      }
      if (file.size > 0 && !index.#byContent.has(hash.value)) index.#byContent.set(hash.value, number);
    }
    return index;
  }

  /** Returns a file whose content is probably these bytes. */
  withContent(bytes: Uint8Array): OldFile | undefined {
    const hash = new ContentHash();
    hash.update(bytes);
    const file = this.#files[this.#byContent.get(hash.value) ?? -1];
    return file?.size === bytes.byteLength ? file : undefined;
  }

  /** Returns a file whose path differs in its numbers, or else only in its folder. */
  withSimilarName(path: string): OldFile | undefined {
    for (const name of generalNames(path)) {
      const number = this.#byName.get(name);
      if (number !== undefined) return this.#files[number];
    }
    return undefined;
  }

  /** Calls `found` with each position of OLD that begins like a stretch of content, in the order of the content. */
  findAnchors(bytes: Uint8Array, found: (file: OldFile, position: number) => void): void {
    new AnchorFinder(this.#anchorShift).find(bytes, (key) => {
      const slot = this.#slot(key);
      const file = this.#keys[slot] === key ? this.#files[this.#fileOf[slot] as number] : undefined;
      if (file !== undefined) found(file, this.#positions[slot] as number);
    });
  }

  #add(key: number, file: number, position: number): void {
    const slot = this.#slot(key);
    // The first of several; a full table takes no more.
    if (this.#keys[slot] !== 0 || position < 0 || position >= maxPosition) return;
    this.#keys[slot] = key;
    this.#fileOf[slot] = file;
    this.#positions[slot] = position;
  }

  /** Returns the slot of a key, or one that is free, or after some tries any. */
  #slot(key: number): number {
    let slot = key & (this.#slots - 1);
    for (let tries = 0; tries < 16 && this.#keys[slot] !== key && this.#keys[slot] !== 0; tries++) {
      slot = (slot + 1) & (this.#slots - 1);
    }
    return slot;
  }
}

/** The path and its last name, with placeholders for numbers. */
function generalNames(path: string): readonly string[] {
  const general = path.replace(/[0-9]+(?:[.-][0-9]+)*/g, "0");
  return [general, general.slice(general.lastIndexOf("/"))];
}

/** Not cryptographic; what it finds is compared. */
class ContentHash {
  #one = 0;
  #other = 0;

  update(bytes: Uint8Array): void {
    let [one, other] = [this.#one, this.#other];
    for (let at = 0; at < bytes.byteLength; at++) {
      const byte = bytes[at] as number;
      one = Math.imul(one ^ byte, 0x01000193);
      other = (Math.imul(other, 0x5bd1e995) + byte + 1) | 0;
    }
    this.#one = one;
    this.#other = other;
  }

  get value(): number {
    return (this.#one >>> 0) * 2 ** 20 + (this.#other >>> 12);
  }
}

/** Signed, so that sums stay integers of 32 bits, which are faster. */
const gears = Int32Array.from({ length: 256 }, (_, byte) => {
  let mixed = Math.imul(byte + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae3d);
  return mixed ^ (mixed >>> 16);
});

/** Finds the positions where the hash of the bytes before ends in zeroes. */
class AnchorFinder {
  readonly #shift: number;
  #gear = 0;

  constructor(shift: number) {
    this.#shift = shift;
  }

  /** @param found called with a key, which is not 0, of the bytes that end at `end` */
  find(bytes: Uint8Array, found: (key: number, end: number) => void): void {
    const shift = this.#shift;
    let gear = this.#gear;
    let last = 0;
    for (let at = 0; at < bytes.byteLength; at++) {
      gear = ((gear << 1) + (gears[bytes[at] as number] as number)) | 0;
      // Anchors across chunks are missed.
      if (gear >>> shift !== 0 || at + 1 < anchorBytes) continue;
      const key = keyOf(bytes, at + 1 - anchorBytes);
      if (key !== last) found(key, at + 1);
      last = key;
    }
    this.#gear = gear;
  }
}

function keyOf(bytes: Uint8Array, start: number): number {
  let key = 0;
  for (let at = start; at < start + anchorBytes; at++) {
    key = Math.imul(key ^ (bytes[at] as number), 0x01000193);
    key ^= key >>> 15;
  }
  return key >>> 0 || 1;
}
