import type { Worker } from "node:worker_threads";
import { type Cancellable, untilAborted } from "@mote/core";
import type { WasmModule } from "./go-assets.js";
import { type GoAnswer, type GoQuestion, runGoEncoders } from "./go-worker.js";

/** The input buffer of the WebAssembly. */
const maxWriteBytes = 256 * 1024;

declare const WebAssembly: {
  readonly Module: { imports(module: WasmModule): readonly { readonly name: string }[] };
};

interface Waiting {
  resolve(output: Uint8Array): void;
  reject(error: Error): void;
}

/** A thread with an instance of Go's encoders, which encodes one stream at a time. An idle one does not keep the process alive. */
export class GoThread implements AsyncDisposable {
  readonly #worker: Worker;
  /** Memory of both threads: a message with new memory for each chunk would leave much of it to the garbage collector of the worker. */
  readonly #input = new Uint8Array(new SharedArrayBuffer(maxWriteBytes));
  #waiting: Waiting | undefined;
  #failure: Error | undefined;

  constructor(module: WasmModule) {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    const imports = WebAssembly.Module.imports(module).map(({ name }) => name);
    this.#worker = new Worker(`(${runGoEncoders})(require("node:worker_threads"))`, {
      eval: true,
      execArgv: [],
      workerData: { module, imports, input: this.#input },
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.unref();
    this.#worker.on("message", (answer: GoAnswer) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if ("error" in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer.output);
    });
    this.#worker.on("error", (error) => this.#end(error));
    this.#worker.on("exit", () => this.#end(undefined));
  }

  /** Whether it can encode another stream. */
  get isUsable(): boolean {
    return this.#failure === undefined && this.#waiting === undefined;
  }

  /** @throws Error if there is no such encoder, or the thread ended */
  async *encode(
    content: AsyncIterable<Uint8Array>,
    encoder: { readonly kind: number; readonly level: number },
    { signal }: Cancellable,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const ask = (question: GoQuestion) => untilAborted(this.#ask(question), signal);
    await ask({ open: encoder });
    for await (const chunk of content) {
      for (let at = 0; at < chunk.byteLength; at += maxWriteBytes) {
        const bytes = chunk.subarray(at, at + maxWriteBytes);
        this.#input.set(bytes);
        const output = await ask({ write: bytes.byteLength });
        if (output.byteLength > 0) yield output;
      }
    }
    yield await ask({ finish: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask(question: GoQuestion): Promise<Uint8Array> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#worker.ref();
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.#worker.postMessage(question);
      });
    } finally {
      this.#worker.unref();
    }
  }

  #end(cause: unknown): void {
    this.#failure ??= new Error("the thread of an encoder ended", { cause });
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
