import type { Cancellable } from "@mote/core";
import type { Encoder } from "./encoder.js";
import { compileAsset, type GoAsset, goAssets } from "./go-assets.js";
import { GoThread } from "./go-thread.js";
import { readGzipHeader } from "./gzip-header.js";

/** As in `go/main.go`. */
const kinds = { standardGzip: 0, blockGzip: 1, olderBlockGzip: 2, zstd: 3 };

/** The likeliest levels first: the default, then the fastest and the best. */
const standardLevels = [6, 1, 9, 5, 4, 8, 7, 3, 2];
/** The default of klauspost's deflate is 5. */
const blockLevels = [5, 1, 9, 6, 4, 8, 7, 3, 2];
/** Default, fastest, better and best. */
const zstdLevels = [2, 1, 3, 4];
/** The best level takes 30 MB more memory and three times as long, for 5 % fewer bytes. */
const smallZstdLevel = 3;

interface IdleThread {
  readonly thread: GoThread;
  /** Ends it. */
  readonly timer: NodeJS.Timeout;
}

interface GoEncoder {
  readonly asset: GoAsset;
  readonly name: string;
  readonly kind: number;
  readonly level: number;
}

/** After so long an unused thread ends, because its memory is that of its largest encoder. */
const maxIdleMs = 1000;

/** The encoders of Go. Their threads are started when they are first used. Dispose of them. */
export class GoEncoders implements AsyncDisposable {
  readonly list: readonly Encoder[] = goEncoders().map((encoder) => this.#encoder(encoder));
  readonly #idle = new Map<GoAsset, IdleThread>();

  async [Symbol.asyncDispose](): Promise<void> {
    const idle = [...this.#idle.values()];
    this.#idle.clear();
    await Promise.all(idle.map(({ thread, timer }) => end(thread, timer)));
  }

  #encoder(encoder: GoEncoder): Encoder {
    const { name, kind, level } = encoder;
    return {
      name,
      probe: (start) => (kind === kinds.zstd ? isZstd(start) : mayBeGo(start, kind, level)),
      encode: (content, options = {}) => this.#encode(content, encoder, options),
    };
  }

  async *#encode(
    content: AsyncIterable<Uint8Array>,
    { asset, kind, level }: GoEncoder,
    options: Cancellable,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const thread = await this.#take(asset);
    try {
      yield* thread.encode(content, { kind, level }, options);
    } finally {
      await this.#giveBack(asset, thread);
    }
  }

  async #take(asset: GoAsset): Promise<GoThread> {
    const module = await compileAsset(asset);
    const idle = this.#idle.get(asset);
    this.#idle.delete(asset);
    clearTimeout(idle?.timer);
    return idle?.thread.isUsable ? idle.thread : new GoThread(module);
  }

  async #giveBack(asset: GoAsset, thread: GoThread): Promise<void> {
    if (!thread.isUsable || this.#idle.has(asset)) return end(thread);
    const timer = setTimeout(() => {
      this.#idle.delete(asset);
      end(thread).catch(() => {});
    }, maxIdleMs);
    this.#idle.set(asset, { thread, timer: timer.unref() });
  }
}

async function end(thread: GoThread, timer?: NodeJS.Timeout): Promise<void> {
  clearTimeout(timer);
  await thread[Symbol.asyncDispose]();
}

/** Compresses content with the zstd of klauspost, for others to read; which bytes they are does not matter. */
export async function* encodeStandardZstd(
  content: AsyncIterable<Uint8Array>,
  options: Cancellable,
): AsyncGenerator<Uint8Array, void, undefined> {
  const asset = goAssets.at(-1);
  if (asset === undefined) throw new Error("there is no encoder");
  await using thread = new GoThread(await compileAsset(asset));
  yield* thread.encode(content, { kind: kinds.zstd, level: smallZstdLevel }, options);
}

function goEncoders(): readonly GoEncoder[] {
  const [first] = goAssets;
  const families = goAssets.flatMap((asset) => {
    const { go, klauspost } = asset;
    return [
      { asset, made: `gzip:go${go}`, kind: kinds.standardGzip, levels: standardLevels },
      { asset, made: `gzip:pgzip${klauspost}`, kind: kinds.blockGzip, levels: blockLevels },
      { asset, made: `zstd:klauspost${klauspost}`, kind: kinds.zstd, levels: zstdLevels },
    ];
  });
  if (first !== undefined)
    families.push({ asset: first, made: "gzip:pgzip1.17", kind: kinds.olderBlockGzip, levels: blockLevels });
  const named = families.flatMap(({ asset, made, kind, levels }) =>
    levels.map((level, rank) => ({ rank, encoder: { asset, kind, level, name: `${made}-${level}` } })),
  );
  return named.sort((one, other) => one.rank - other.rank).map(({ encoder }) => encoder);
}

/** The year 1, which parallel compressors write as the time of a stream without one. Go's own gzip writes 0. */
const zeroTime = 0x886e0900;

/** Go and its relatives state no system, and the level only if it is the best or the fastest. */
function mayBeGo(start: Uint8Array, kind: number, level: number): boolean {
  const header = readGzipHeader(start);
  if (header === undefined || header.system !== 255) return false;
  if ((header.time === zeroTime) === (kind === kinds.standardGzip)) return false;
  return header.level === (level === 9 ? "best" : level === 1 ? "fastest" : "other");
}

/** RFC 8878, 3.1.1. */
function isZstd(start: Uint8Array): boolean {
  return start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd;
}
