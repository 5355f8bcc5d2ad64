import net, { type Socket } from "node:net";
import { listenOnLoopback } from "./loopback.js";

export interface DelayingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** The bytes of all responses so far. */
  readonly responseBytes: number;
  stop(): Promise<void>;
}

export interface DelayingProxyOptions {
  /** The delay of each request. */
  readonly delayMs: number;
  /** The additional delay of the first request of a connection. Default: 0. */
  readonly connectMs?: number | undefined;
  /** The rate of all responses together. Default: unlimited. */
  readonly bytesPerSecond?: number | undefined;
}

/** The bytes that are read at once: few reads, so that the proxy needs little of the processor. */
const chunkBytes = 128 * 1024;

/**
 * Starts a proxy that simulates a distant server: it delays each request by `delayMs`, and does not delay responses. Requests do not
 * delay each other.
 */
export async function startDelayingProxy(target: string, options: DelayingProxyOptions): Promise<DelayingProxy> {
  const { delayMs, connectMs = 0, bytesPerSecond } = options;
  const [hostname = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const rate = bytesPerSecond === undefined ? undefined : new SharedRate(bytesPerSecond);
  let responseBytes = 0;
  const server = net.createServer((client) => {
    const onread = {
      // A write may keep the bytes of a buffer.
      buffer: () => Buffer.allocUnsafe(chunkBytes),
      callback: (length: number, buffer: Uint8Array): boolean => {
        responseBytes += length;
        return passOn(upstream, client, buffer.subarray(0, length), rate);
      },
    };
    const upstream: Socket = net.connect({ host: hostname, port: Number(port), onread });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true).once("close", () => sockets.delete(socket));
    }
    client.on("error", () => upstream.destroy()).once("close", () => upstream.destroy());
    // The client still receives what the server sent before it closed.
    upstream.on("error", () => client.destroy()).on("end", () => client.end());
    const openMs = performance.now() + connectMs;
    const later = (act: () => void) => setTimeout(act, delayMs + Math.max(0, openMs - performance.now()));
    client.on("data", (bytes) => later(() => upstream.write(bytes)));
    client.on("end", () => later(() => upstream.end()));
  });
  const host = await listenOnLoopback(server);
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    host,
    get responseBytes() {
      return responseBytes;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Sends bytes to the client. Returns false if reading must pause, and resumes it later. */
function passOn(upstream: Socket, client: Socket, bytes: Uint8Array, rate: SharedRate | undefined): boolean {
  const hasRoom = client.write(bytes);
  const aheadMs = rate?.take(bytes.byteLength) ?? 0;
  if (hasRoom && aheadMs < 1) return true;
  const wait = () => {
    if (aheadMs < 1) upstream.resume();
    else setTimeout(() => upstream.resume(), aheadMs);
  };
  if (hasRoom) wait();
  else client.once("drain", wait);
  return false;
}

/** The rate of a line that several connections share. */
class SharedRate {
  readonly #bytesPerMs: number;
  #busyUntilMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Returns for how many milliseconds the line is busy with these bytes and all before them. */
  take(bytes: number): number {
    const nowMs = performance.now();
    this.#busyUntilMs = Math.max(nowMs, this.#busyUntilMs) + bytes / this.#bytesPerMs;
    return this.#busyUntilMs - nowMs;
  }
}
