import { ZSTDDecoder as Loader } from "zstddec/stream";

/** The maximum size of a block, and of output at a time. */
const bufferBytes = 128 * 1024;
/** ZSTD_inBuffer and ZSTD_outBuffer: pointer, size and position, of 4 bytes each. */
const structBytes = 12;
/** zstd_errors.h, ZSTD_error_maxCode: sizes this close to 2^32 are errors. */
const maxErrorCode = 120;
/** ZSTD_error_memory_allocation. */
const noMemory = 64;

/** The exports in use. Sizes above 2 GiB, including errors, are negative. */
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

/** The initial memory is 16 MiB. */
const maxIdleBytes = 32 * 1024 * 1024;

let compiled: Promise<object> | undefined;
/** Reused by the next decoder: many new instances burden the garbage collector. */
let idle: Library | undefined;

/**
 * Decodes zstd frames with zstd's own library as WebAssembly. Each decoder has its own instance and memory. Frames must already
 * be checked: windows are limited only by the library (128 MiB).
 */
export class ZstdDecoder {
  readonly #library: Library;
  readonly #context: number;
  /** The two structs, then the input and output buffers. */
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
    // The only import: called when memory grows. Memory is looked up after each call instead.
    const imports = { env: { emscripten_notify_memory_growth() {} } };
    const module = await compiled;
    const library = idle ?? (new WebAssembly.Instance(module, imports).exports as Library);
    idle = undefined;
    return new ZstdDecoder(library);
  }

  /** Whether all frames are complete and their content was returned. */
  get isBetweenFrames(): boolean {
    return this.#left === 0;
  }

  /** Yields the decoded bytes, in chunks of at most 128 KiB. @throws Error if the input is damaged; the decoder is unusable then */
  *decode(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.byteLength; at += bufferBytes) {
      yield* this.#decodePiece(bytes.subarray(at, at + bufferBytes));
    }
  }

  /** Makes the decoder unusable. */
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
    // A further call after the end would begin a frame.
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

/** Compiles the package's library once per process. Its own loop ignores errors, and all its streams share one memory. */
async function compile(): Promise<object> {
  let module: object | undefined;
  const loader = new Loader();
  loader._init = (result: { readonly module: object }) => {
    module = result.module;
    // For other users of the package in this process.
    Loader.prototype._init(result);
  };
  await loader.init();
  if (module === undefined) {
    throw new Error("zstddec was loaded by something else in this process; use Node 22.15 or later");
  }
  return module;
}
