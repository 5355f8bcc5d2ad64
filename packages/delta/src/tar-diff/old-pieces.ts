import type { Piece } from "./matcher.js";
import type { OldFile } from "./old-file.js";

/** Files are used in blocks of this size. */
const blockBytes = 32 * 1024;

/** A range of a file of OLD in the matcher's bytes. */
export interface FilePiece extends Piece {
  readonly file: OldFile;
  /** In the file. */
  readonly position: number;
}

/** Chooses ranges of files of OLD, up to a number of bytes. */
export class OldPieces {
  readonly #maxBytes: number;
  readonly #blocks = new Map<OldFile, Set<number>>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds a range, as far as there is room. */
  add(file: OldFile, start: number, end: number): void {
    const last = Math.min(end, file.size);
    let blocks = this.#blocks.get(file);
    for (let block = Math.floor(Math.max(0, start) / blockBytes); block * blockBytes < last; block++) {
      if (blocks?.has(block)) continue;
      const bytes = Math.min(blockBytes, file.size - block * blockBytes);
      if (this.#bytes + bytes > this.#maxBytes) return;
      if (blocks === undefined) {
        blocks = new Set();
        this.#blocks.set(file, blocks);
      }
      blocks.add(block);
      this.#bytes += bytes;
    }
  }

  /** Reads the ranges. Adjoining blocks become one piece. */
  async read(into: Uint8Array): Promise<readonly FilePiece[]> {
    const pieces: FilePiece[] = [];
    let start = 0;
    for (const [file, blocks] of this.#blocks) {
      const sorted = [...blocks].sort((one, other) => one - other);
      for (let from = 0, to = 1; from < sorted.length; from = to++) {
        while (to < sorted.length && sorted[to] === (sorted[to - 1] ?? 0) + 1) to++;
        const position = (sorted[from] ?? 0) * blockBytes;
        const bytes = await file.read(position, (to - from) * blockBytes, into.subarray(start));
        pieces.push({ file, position, start, end: start + bytes.byteLength });
        start += bytes.byteLength;
      }
    }
    return pieces;
  }
}
