import {
  type Cancellable,
  type Digest,
  type Logger,
  MemoryCache,
  type Mote,
  MoteError,
  type MoteInfo,
  type MoteReader,
  type MoteReaderAt,
  type MoteWriter,
  type ReadOptions,
  silentLogger,
} from "@mote/core";

export type Fault = "fails" | "hangs" | "lies";
export type FarCall =
  | "initialize"
  | "find"
  | "moteReader"
  | "chunk"
  | "moteReaderAt"
  | "createMote"
  | "moteWriter"
  | "write"
  | "close";

export const farCalls: readonly FarCall[] = [
  "initialize",
  "find",
  "moteReader",
  "chunk",
  "moteReaderAt",
  "createMote",
  "moteWriter",
  "write",
  "close",
];

/** A far tier with a fault in one of its calls. */
export class FaultyFar extends MemoryCache {
  /** Undefined: it works. */
  fault: { readonly call: FarCall; readonly fault: Fault } | undefined;
  readonly calls: string[] = [];

  override async initialize(): Promise<void> {
    await this.#begin("initialize");
  }

  override async find(digest: Digest, options?: Cancellable): Promise<MoteInfo | undefined> {
    if (await this.#begin("find")) return { digest, size: 7, mediaType: "text/plain" };
    return super.find(digest, options);
  }

  override async moteReader(digest: Digest, options?: ReadOptions): Promise<MoteReader> {
    if (await this.#begin("moteReader")) throw new MoteError("MOTE_NOT_FOUND", "never heard of it");
    return super.moteReader(digest, options);
  }

  override async moteReaderAt(digest: Digest, options?: Cancellable): Promise<MoteReaderAt> {
    if (await this.#begin("moteReaderAt")) throw new MoteError("MOTE_NOT_FOUND", "never heard of it");
    return super.moteReaderAt(digest, options);
  }

  override async createMote(digest: Digest, mediaType: string, size?: number): Promise<Mote> {
    await this.#begin("createMote");
    return super.createMote(digest, mediaType, size);
  }

  override async moteWriter(digest: Digest): Promise<MoteWriter> {
    await this.#begin("moteWriter");
    const writer = await super.moteWriter(digest);
    return {
      get bytesWritten() {
        return writer.bytesWritten;
      },
      write: async (bytes) => {
        await writer.write((await this.#begin("write")) ? bytes.map((byte) => byte ^ 1) : bytes);
      },
      close: async () => {
        await this.#begin("close");
        return writer.close();
      },
      abort: () => writer.abort(),
      [Symbol.asyncDispose]: () => writer.abort(),
    };
  }

  protected override async *chunksOf(bytes: Uint8Array, signal?: AbortSignal) {
    for await (const chunk of super.chunksOf(bytes, signal)) {
      yield (await this.#begin("chunk")) ? chunk.map((byte) => byte ^ 1) : chunk;
    }
  }

  /** Returns whether this call lies. */
  async #begin(call: FarCall): Promise<boolean> {
    this.calls.push(call);
    if (this.fault?.call !== call) return false;
    if (this.fault.fault === "fails") throw new MoteError("MOTE_IO", `the ${call} has failed`);
    if (this.fault.fault === "hangs") await new Promise(() => {});
    return true;
  }
}

/** Returns a logger that collects warnings. */
export function collectWarnings(): { readonly logger: Logger; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { warnings, logger: { ...silentLogger, warn: (message) => void warnings.push(message) } };
}
