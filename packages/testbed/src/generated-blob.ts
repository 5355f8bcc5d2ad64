import { createHash } from "node:crypto";

const blockBytes = 1024 * 1024;
const numberBytes = 8;

/** A blob of any size without memory: each MiB is the same bytes after its number, so that no two of them can be confused. */
export class GeneratedBlob {
  readonly size: number;
  readonly digest: string;
  readonly #block = Buffer.alloc(blockBytes);

  constructor(size: number) {
    this.size = size;
    let word = 0x2545f491;
    for (let at = 0; at < blockBytes; at += 4) {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      this.#block.writeInt32LE(word, at);
    }
    const hash = createHash("sha256");
    for (let at = 0; at < size; at += blockBytes) {
      for (const bytes of this.slices(at, Math.min(size, at + blockBytes))) hash.update(bytes);
    }
    this.digest = `sha256:${hash.digest("hex")}`;
  }

  /** Yields the bytes from `start` to `end`. They must not be changed. */
  *slices(start: number, end: number, damageAt?: number): Generator<Uint8Array> {
    for (let at = start; at < end; ) {
      const block = Math.floor(at / blockBytes);
      const inBlock = at - block * blockBytes;
      const isNumber = inBlock < numberBytes;
      const next = Math.min(end, block * blockBytes + (isNumber ? numberBytes : blockBytes));
      const bytes = isNumber ? this.#numbered(block) : this.#block;
      const slice = bytes.subarray(inBlock, inBlock + next - at);
      yield damageAt !== undefined && damageAt >= at && damageAt < next ? damaged(slice, damageAt - at) : slice;
      at = next;
    }
  }

  #numbered(block: number): Uint8Array {
    const bytes = Buffer.alloc(numberBytes);
    bytes.writeDoubleLE(block);
    return bytes;
  }
}

function damaged(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
