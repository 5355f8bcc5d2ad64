import { ZSTDDecoder as Loader } from "zstddec/stream";

/** That of a block, which is the most that comes out of one at a time. */
const bufferBytes = 128 * 1024;
/** ZSTD_inBuffer and ZSTD_outBuffer: a pointer, a size, and a position in it, of 4 bytes each. */
const structBytes = 12;
/** zstd_errors.h, ZSTD_error_maxCode: a size this near to the top of 32 bits is an error. */
const maxErrorCode = 120;
/** ZSTD_error_memory_allocation. */
const noMemory = 64;

/** What is used of the exports. Sizes above 2 GiB, and so errors, come as negative numbers. */
interface Library {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(bytes: number): number;
  free(pointer: number): void;
  ZSTD_createDCtx(): number;
  ZSTD_freeDCtx(context: number): number;
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

declare const WebAssembly: {
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** An instance begins with 16 MiB. */
const maxIdleBytes = 32 * 1024 * 1024;

let compiled: Promise<object> | undefined;
/** One is kept for the next decoder: many new ones keep the garbage collector busy. */
let idle: Library | undefined;

/**
 * Decodes frames of zstd with zstd's own library as WebAssembly. Each decoder has an instance and memory to itself. Frames must have been checked
 * before: nothing here limits their windows to less than the library does (128 MiB).
 */
export class ZstdDecoder {
  readonly #library: Library;
  readonly #context: number;
  /** The two structs, then the buffers of what goes in and what comes out. */
  readonly #input: number;
  readonly #output: number;
  #left = 0;
  #isFit = true;

  private constructor(library: Library) {
    this.#library = library;
    this.#context = library.ZSTD_createDCtx();
    this.#input = library.malloc(structBytes + bufferBytes);
    this.#output = library.malloc(structBytes + bufferBytes);
    if ([this.#context, this.#input, this.#output].includes(0)) throw new Error("not enough memory");
  }

  static async load(): Promise<ZstdDecoder> {
    compiled ??= compile();
    // The only import: its memory has grown. It is looked up again after each call instead.
    const imports = { env: { emscripten_notify_memory_growth() {} } };
    const module = await compiled;
    const library = idle ?? (new WebAssembly.Instance(module, imports).exports as Library);
    idle = undefined;
    return new ZstdDecoder(library);
  }

  /** Whether all frames that were begun have ended, and all that was in them has come out. */
  get isBetweenFrames(): boolean {
    return this.#left === 0;
  }

  /** Yields what the next bytes of a frame come to, in pieces of at most 128 KiB. @throws Error if they are damaged; the decoder is useless then */
  *decode(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.byteLength; at += bufferBytes) {
      yield* this.#decodePiece(bytes.subarray(at, at + bufferBytes));
    }
  }

  /** Nothing can be decoded any more. */
  close(): void {
    const { memory, free, ZSTD_freeDCtx } = this.#library;
    if (!this.#isFit || memory.buffer.byteLength > maxIdleBytes) return;
    this.#isFit = false;
    ZSTD_freeDCtx(this.#context);
    free(this.#input);
    free(this.#output);
    idle = this.#library;
  }

  *#decodePiece(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
    if (!this.#isFit) throw new Error("it is damaged, or closed");
    const { memory, ZSTD_decompressStream } = this.#library;
    new Uint8Array(memory.buffer).set(piece, this.#input + structBytes);
    // Asked for more after its end, it would begin a frame.
    for (let [taken, given] = [0, 0]; taken < piece.byteLength || (given === bufferBytes && this.#left > 0); ) {
      const before = taken;
      this.#point(this.#input, piece.byteLength, taken);
      this.#point(this.#output, bufferBytes, 0);
      this.#isFit = false;
      this.#left = ZSTD_decompressStream(this.#context, this.#output, this.#input) >>> 0;
      const error = 2 ** 32 - this.#left;
      if (error === noMemory) throw new Error("not enough memory for its window");
      if (error <= maxErrorCode) throw new Error(`zstd's error ${error}`);
      this.#isFit = true;
      taken = this.#position(this.#input);
      given = this.#position(this.#output);
      if (given > 0) {
        const from = this.#output + structBytes;
        yield new Uint8Array(memory.buffer.slice(from, from + given));
      } else if (taken === before && taken < piece.byteLength) throw new Error("zstd makes no progress");
    }
  }

  #point(struct: number, size: number, position: number): void {
    new Uint32Array(this.#library.memory.buffer, struct, 3).set([struct + structBytes, size, position]);
  }

  #position(struct: number): number {
    return new Uint32Array(this.#library.memory.buffer, struct, 3)[2] ?? 0;
  }
}

/** Compiles the library of the package, once in a process. Its own loop does not look at errors, and all its streams share one memory. */
async function compile(): Promise<object> {
  let module: object | undefined;
  const loader = new Loader();
  loader._init = (result: { readonly module: object }) => {
    module = result.module;
    // For others who use the package in this process.
    Loader.prototype._init(result);
  };
  await loader.init();
  if (module === undefined) {
    throw new Error("zstddec was loaded by something else in this process; use Node 22.15 or later");
  }
  return module;
}
