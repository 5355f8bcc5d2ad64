import type { Cancellable } from "@mote/core";
import { ZstdCompressor } from "./compress-zstd.js";
import { contentWindows, type Stretch } from "./content-windows.js";
import { Matcher } from "./matcher.js";
import type { OldFile } from "./old-file.js";
import type { OldFiles } from "./old-files.js";
import { OldIndex } from "./old-index.js";
import { type FilePiece, OldPieces } from "./old-pieces.js";
import { OperationWriter } from "./operation-writer.js";
import { tarDiffMagic } from "./operations.js";

/** How much content is compared at a time, */
const windowBytes = 4 * 1024 * 1024;
/** and with how much of OLD. */
const maxPieceBytes = 8 * 1024 * 1024;
/** Files of OLD up to this size are compared as a whole. */
const wholeFileBytes = 1024 * 1024;
/** How far content is looked for around where it was in OLD. */
const marginBytes = 128 * 1024;
const anchorMarginBytes = 16 * 1024;
/** How much is read at a time to find out whether stretches are equal. */
const comparedBytes = 256 * 1024;
/** Shorter stretches of equal bytes are differences of zero. */
const minCopyBytes = 8;

export interface MakeTarDiffOptions extends Cancellable {
  /** How much content is compared at a time. Default 4 MiB. */
  readonly windowBytes?: number | undefined;
}

/**
 * Makes a tar-diff, a file in the format of containers/tar-diff, which turns files of OLD into the content of a layer. What is not a regular
 * file with a readable header is stored as it is, so any content is possible.
 * @param content opens the uncompressed tar of the layer
 * @throws what the content and the files throw
 */
export async function* makeTarDiff(
  content: () => AsyncIterable<Uint8Array>,
  old: Iterable<OldFile> & Pick<OldFiles, "get">,
  options: MakeTarDiffOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const comparison = unused.get(old) ?? new Comparison(old, await OldIndex.read(old, options));
  unused.delete(old);
  try {
    yield tarDiffMagic;
    yield* comparison.compressor.compress(encodedOperations(content(), comparison, options), options);
  } finally {
    unused.set(old, comparison);
  }
}

async function* encodedOperations(
  content: AsyncIterable<Uint8Array>,
  comparison: Comparison,
  { signal, windowBytes: bytes = windowBytes }: MakeTarDiffOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  comparison.begin();
  for await (const window of contentWindows(content, comparison.window(bytes), { signal })) {
    yield* await comparison.encode(window, { signal });
  }
  yield* comparison.end();
}

/** The comparisons of earlier layers: an index takes time to make, and garbage of their size would not be collected soon. */
const unused = new WeakMap<object, Comparison>();

/** A stretch of content and where it probably comes from. */
interface Guess {
  readonly file: OldFile;
  /** Of the first byte of the stretch in the file. */
  readonly position: number;
}

class Comparison {
  readonly compressor = new ZstdCompressor();
  readonly #old: Pick<OldFiles, "get">;
  readonly #index: OldIndex;
  readonly #matcher = new Matcher<FilePiece>(maxPieceBytes);
  readonly #compared = new Uint8Array(comparedBytes);
  readonly #writer = new OperationWriter();
  #window = new Uint8Array(0);
  /** Where the end of the last window probably comes from. */
  #last: Guess | undefined;

  constructor(old: Pick<OldFiles, "get">, index: OldIndex) {
    this.#old = old;
    this.#index = index;
  }

  /** Begins a diff. */
  begin(): void {
    this.#writer.begin();
    this.#last = undefined;
  }

  /** Returns memory for a window. */
  window(bytes: number): Uint8Array {
    if (this.#window.byteLength !== bytes) this.#window = new Uint8Array(bytes);
    return this.#window;
  }

  /** Encodes a window. Returns what of the diff is complete. */
  async encode(window: readonly Stretch[], options: Cancellable): Promise<readonly Uint8Array[]> {
    const guesses = new Map<Stretch, Guess | undefined>();
    const pieces = new OldPieces(maxPieceBytes);
    const same = new Map<Stretch, Guess>();
    for (const stretch of window) {
      if (stretch.path === undefined || stretch.bytes.byteLength === 0) continue;
      const guess = this.#guess(stretch);
      const found = await this.#findSame(stretch, guess);
      if (found !== undefined) {
        same.set(stretch, found);
        continue;
      }
      guesses.set(stretch, guess);
      if (guess !== undefined) addGuess(pieces, guess, stretch.bytes.byteLength);
    }
    for (const { bytes } of guesses.keys()) {
      this.#index.findAnchors(bytes, (file, position) => {
        if (file.size <= wholeFileBytes / 4) pieces.add(file, 0, file.size);
        else pieces.add(file, position - anchorMarginBytes, position + anchorMarginBytes);
      });
    }
    const filePieces = guesses.size === 0 ? [] : await pieces.read(this.#matcher.old);
    if (guesses.size > 0) for (const _ of this.#matcher.index(filePieces)) await turn(options);
    this.#last = undefined;
    for (const stretch of window) {
      const found = same.get(stretch);
      if (found !== undefined) {
        this.#writer.copy(found.file.path, found.position, stretch.bytes.byteLength);
        this.#last = { file: found.file, position: found.position + stretch.bytes.byteLength };
      } else if (guesses.has(stretch)) {
        const start = placeOf(guesses.get(stretch), filePieces);
        await this.#encodeDifferences(stretch.bytes, start, options);
      } else this.#writer.data(stretch.bytes);
    }
    return this.#writer.take();
  }

  /** Ends a diff, and returns the rest of it. */
  end(): readonly Uint8Array[] {
    return this.#writer.end();
  }

  #guess({ path = "", position }: Stretch): Guess | undefined {
    if (position > 0 && this.#last !== undefined) return this.#last;
    const file = this.#old.get(path) ?? this.#index.withSimilarName(path);
    return file === undefined ? undefined : { file, position: Math.min(position, file.size) };
  }

  async #findSame({ bytes, isComplete }: Stretch, guess: Guess | undefined): Promise<Guess | undefined> {
    if (guess !== undefined && (!isComplete || guess.file.size === bytes.byteLength)) {
      if (await this.#isSame(guess, bytes)) return guess;
    }
    const file = isComplete ? this.#index.withContent(bytes) : undefined;
    const found = file === undefined ? undefined : { file, position: 0 };
    return found !== undefined && (await this.#isSame(found, bytes)) ? found : undefined;
  }

  async #isSame({ file, position }: Guess, bytes: Uint8Array): Promise<boolean> {
    if (file.size - position < bytes.byteLength) return false;
    for (let at = 0; at < bytes.byteLength; at += comparedBytes) {
      const part = bytes.subarray(at, at + comparedBytes);
      const old = await file.read(position + at, part.byteLength, this.#compared);
      if (Buffer.compare(old, part) !== 0) return false;
    }
    return true;
  }

  /** @param start where the matcher's OLD probably continues */
  async #encodeDifferences(bytes: Uint8Array, start: number | undefined, options: Cancellable): Promise<void> {
    let at = 0;
    for (const match of this.#matcher.match(bytes, start)) {
      if (match === undefined) {
        await turn(options);
        continue;
      }
      this.#writer.data(bytes.subarray(at, match.fresh));
      at = match.fresh + match.length;
      const { piece } = match;
      const position = piece.position + match.old - piece.start;
      const old = this.#matcher.old.subarray(match.old, match.old + match.length);
      writeMatch(this.#writer, { bytes: bytes.subarray(match.fresh, at), old, path: piece.file.path, position });
      this.#last = { file: piece.file, position: position + match.length };
    }
    this.#writer.data(bytes.subarray(at));
    if (this.#last !== undefined) {
      this.#last = { file: this.#last.file, position: this.#last.position + bytes.byteLength - at };
    }
  }
}

function addGuess(pieces: OldPieces, { file, position }: Guess, length: number): void {
  if (file.size <= wholeFileBytes) pieces.add(file, 0, file.size);
  else pieces.add(file, position - marginBytes, position + length + marginBytes);
}

function placeOf(guess: Guess | undefined, pieces: readonly FilePiece[]): number | undefined {
  if (guess === undefined) return undefined;
  const { file, position } = guess;
  const piece = pieces.find(
    (each) => each.file === file && each.position <= position && position < each.position + each.end - each.start,
  );
  return piece === undefined ? undefined : piece.start + position - piece.position;
}

interface Alike {
  readonly bytes: Uint8Array;
  readonly old: Uint8Array;
  readonly path: string;
  readonly position: number;
}

/** Writes longer stretches of equal bytes as copies, and the rest as differences. */
function writeMatch(writer: OperationWriter, { bytes, old, path, position }: Alike): void {
  const length = bytes.byteLength;
  let from = 0;
  for (let at = 0; at < length; ) {
    let run = at;
    while (run < length && bytes[run] === old[run]) run++;
    if (run - at >= minCopyBytes || (run === length && at === 0)) {
      writeDifferences(from, at);
      writer.copy(path, position + at, run - at);
      from = run;
    }
    at = run + 1;
  }
  writeDifferences(from, length);

  function writeDifferences(start: number, end: number): void {
    writer.add(path, position + start, bytes.subarray(start, end), old.subarray(start, end));
  }
}

async function turn({ signal }: Cancellable): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
