import { closeSync, constants, fstatSync, openSync, type Stats, statSync, write } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { isatty } from "node:tty";
import { promisify } from "node:util";
import { type Cancellable, errorCode, fileKind, type Logger, MoteError } from "@mote/core";
import { writeFailed } from "../disk/file-error.js";

/** Time limits for a FIFO without a reader, and for a reader that does not read. */
const readerTimeoutMs = 30_000;
const stallTimeoutMs = 600_000;
/** The user is told about a longer wait. */
const noticeMs = 1_000;
const retryMs = 50;
/** A pipe's capacity, so that any progress of the reader is noticed. */
const chunkBytes = 64 * 1024;

export interface OutputFileOptions extends Cancellable {
  readonly logger?: Logger | undefined;
}

/**
 * Writes sequentially to a FIFO, a device, or stdout (`-`). @throws MOTE_TIMEOUT if no process opens a FIFO within 30 seconds, or its reader
 * does not read for 10 minutes · MOTE_IO if the reader closes it · MOTE_NO_SPACE · MOTE_UNWRITABLE
 */
export async function writeStream(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: OutputFileOptions,
): Promise<void> {
  const shown = path === "-" ? "stdout" : path;
  const { signal, logger } = options;
  try {
    const sink = path === "-" ? stdoutSink() : await openSink(path, options);
    try {
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.byteLength; at += chunkBytes) {
          signal?.throwIfAborted();
          const piece = chunk.subarray(at, at + chunkBytes);
          await taken((ended) => sink.write(piece, ended), { path: shown, signal, logger });
        }
      }
    } finally {
      sink.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (errorCode(error) !== "EPIPE") throw writeFailed(error, shown);
    throw new MoteError("MOTE_IO", `cannot write ${shown}: its reader closed it before the end`, {
      cause: error,
      details: { path },
    });
  }
}

interface Sink {
  /** `ended` is aborted when the result is no longer needed. */
  write(bytes: Uint8Array, ended: AbortSignal): Promise<void>;
  close(): void;
}

/** Opens without blocking, which a FIFO allows only with a reader. */
async function openSink(path: string, { signal, logger }: OutputFileOptions): Promise<Sink> {
  const startMs = performance.now();
  for (let isLogged = false; ; ) {
    signal?.throwIfAborted();
    const fd = tryOpen(path);
    if (fd !== undefined) return sinkOf(fd, path, fstatSync(fd));
    const waitedMs = performance.now() - startMs;
    if (waitedMs > readerTimeoutMs) {
      const message = `no process reads ${path}: waited ${readerTimeoutMs / 1000} s; start the reader first`;
      throw new MoteError("MOTE_TIMEOUT", message, { details: { path } });
    }
    if (waitedMs > noticeMs && !isLogged) {
      isLogged = true;
      logger?.warn(`waiting up to ${readerTimeoutMs / 1000} s for a reader of ${path}`);
    }
    await wait(retryMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    // open(2): a FIFO has no reader; a device does not exist.
    if (errorCode(error) === "ENXIO" && statSync(path).isFIFO()) return undefined;
    throw error;
  }
}

function sinkOf(fd: number, path: string, stats: Stats): Sink {
  if (stats.isFIFO()) return socketSink(fd);
  if ((stats.isCharacterDevice() && !isatty(fd)) || stats.isBlockDevice()) return deviceSink(fd, () => closeSync(fd));
  closeSync(fd);
  const what = stats.isCharacterDevice() ? "a terminal" : stats.isFile() ? "a regular file now" : fileKind(stats);
  throw new MoteError("MOTE_UNWRITABLE", `cannot write ${path}: it is ${what}; choose another destination`, {
    details: { path },
  });
}

function stdoutSink(): Sink {
  const stats = fstatSync(1);
  if (stats.isFIFO()) {
    // Writing to a pipe as stdout blocks the process while its reader pauses. Reopened, it does not.
    const fd = tryOpen("/dev/stdout");
    if (fd !== undefined) return socketSink(fd);
  }
  if (!stats.isSocket()) return deviceSink(1, () => {});
  return { write: writerOf(process.stdout), close() {} };
}

/** Uses the event loop, so that a paused reader blocks no thread. */
function socketSink(fd: number): Sink {
  const socket = new Socket({ fd, readable: false, writable: true });
  // Each write reports its own error.
  socket.on("error", () => {});
  return { write: writerOf(socket), close: () => socket.destroy() };
}

function writerOf(stream: Writable): Sink["write"] {
  return (bytes) =>
    new Promise((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
}

function deviceSink(fd: number, close: () => void): Sink {
  return {
    async write(bytes, ended) {
      for (let at = 0; at < bytes.byteLength; ) {
        try {
          at += (await promisify(write)(fd, bytes.subarray(at))).bytesWritten;
        } catch (error) {
          if (errorCode(error) !== "EAGAIN") throw error;
          await wait(retryMs, undefined, { signal: ended });
        }
      }
    },
    close,
  };
}

/** Resolves when the write ends; rejects when the reader takes too long. */
async function taken(
  write: (ended: AbortSignal) => Promise<void>,
  { path, signal, logger }: OutputFileOptions & { readonly path: string },
): Promise<void> {
  const ended = new AbortController();
  const writing = write(ended.signal);
  writing.catch(() => {});
  let notice: NodeJS.Timeout | undefined;
  let timer: NodeJS.Timeout | undefined;
  const abort = () => ended.abort(signal?.reason);
  try {
    await Promise.race([
      writing,
      new Promise<never>((_, reject) => {
        const message = `cannot write ${path}: its reader did not read for ${stallTimeoutMs / 60_000} minutes`;
        notice = setTimeout(() => logger?.warn(`waiting for the reader of ${path}`), readerTimeoutMs);
        timer = setTimeout(
          () => ended.abort(new MoteError("MOTE_TIMEOUT", message, { details: { path } })),
          stallTimeoutMs,
        );
        ended.signal.addEventListener("abort", () => reject(ended.signal.reason), { once: true });
        signal?.addEventListener("abort", abort, { once: true });
        if (signal?.aborted) abort();
      }),
    ]);
  } finally {
    clearTimeout(notice);
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    if (!ended.signal.aborted) ended.abort(new Error("written"));
  }
}
