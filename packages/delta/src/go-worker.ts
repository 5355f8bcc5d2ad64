import type threads from "node:worker_threads";

/** Each question has one answer, in order. */
export type GoQuestion =
  | { readonly open: { readonly kind: number; readonly level: number } }
  /** The number of bytes at the start of the shared input. */
  | { readonly write: number }
  | { readonly finish: true };

export type GoAnswer = { readonly output: Uint8Array } | { readonly error: string };

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  open(kind: number, level: number): number;
  input_at(): number;
  input_size(): number;
  output_at(): number;
  write(size: number): number;
  finish(): number;
}

declare const WebAssembly: {
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

/**
 * Runs Go's encoders in a worker. It is started from this function's text, so it must not refer to anything outside. Of WASI, Go needs no
 * files here, and gets none: a clock that counts its calls, fixed random numbers, and an error for the rest make its output depend on its
 * input only.
 */
export function runGoEncoders({ parentPort, workerData }: typeof threads): void {
  const view = () => new DataView(go.memory.buffer);
  const zeroes = (...pointers: readonly number[]) => {
    for (const pointer of pointers) view().setUint32(pointer, 0, true);
    return 0;
  };
  const badFile = 8;
  let nanoseconds = 0n;
  const wasi: Record<string, (...values: number[]) => number> = {
    args_get: () => 0,
    args_sizes_get: zeroes,
    environ_get: () => 0,
    environ_sizes_get: zeroes,
    sched_yield: () => 0,
    random_get(pointer = 0, size = 0) {
      new Uint8Array(go.memory.buffer, pointer, size).fill(7);
      return 0;
    },
    clock_time_get(_id, _precision, pointer = 0) {
      nanoseconds += 1_000_000n;
      view().setBigUint64(pointer, nanoseconds, true);
      return 0;
    },
    // Go waits for its timers only: each is due at once. A subscription has 48 bytes, an event 32.
    poll_oneoff(subscriptions = 0, events = 0, count = 0, pointer = 0) {
      for (let at = 0; at < count; at++) {
        const event = new Uint8Array(go.memory.buffer, events + 32 * at, 32).fill(0);
        event.set(new Uint8Array(go.memory.buffer, subscriptions + 48 * at, 8));
        event[10] = new Uint8Array(go.memory.buffer)[subscriptions + 48 * at + 8] ?? 0;
      }
      view().setUint32(pointer, count, true);
      return 0;
    },
    proc_exit(code = 0) {
      throw new Error(`the encoder ended with code ${code}`);
    },
  };
  const imports = new Proxy(wasi, { get: (known, name) => known[String(name)] ?? (() => badFile) });
  const needed = Object.fromEntries(workerData.imports.map((name: string) => [name, imports[name]]));
  const instance = new WebAssembly.Instance(workerData.module, { wasi_snapshot_preview1: needed });
  const go = instance.exports as Exports;
  go._initialize();
  const inputAt = go.input_at() >>> 0;
  const outputOf = (size: number): Uint8Array => {
    if (size < 0) throw new Error("the encoder failed");
    const from = go.output_at() >>> 0;
    return new Uint8Array(go.memory.buffer.slice(from, from + size));
  };
  const answer = (question: GoQuestion): Uint8Array => {
    if ("open" in question) {
      if (go.open(question.open.kind, question.open.level) !== 0) throw new Error("there is no such encoder");
      return new Uint8Array();
    }
    if ("finish" in question) return outputOf(go.finish());
    new Uint8Array(go.memory.buffer, inputAt).set(workerData.input.subarray(0, question.write));
    return outputOf(go.write(question.write));
  };
  parentPort?.on("message", (question: GoQuestion) => {
    try {
      const output = answer(question);
      parentPort.postMessage({ output } satisfies GoAnswer, [output.buffer as ArrayBuffer]);
    } catch (error) {
      parentPort.postMessage({ error: String(error) } satisfies GoAnswer);
    }
  });
}
