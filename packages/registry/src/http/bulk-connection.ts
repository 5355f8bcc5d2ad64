import net, { type Socket } from "node:net";
import { Duplex } from "node:stream";
import type { connect as connectTls } from "node:tls";
import { BodyBuffers } from "./body-buffers.js";
import { cutError, type TransportOptions, timeoutError } from "./http-transport.js";
import { parseResponseHead, type ResponseHead } from "./response-head.js";
import { Silence } from "./silence.js";

/** Shared by all connections. */
const buffers = new BodyBuffers();

const headEnd = "\r\n\r\n";

/** Longer heads are parsed by node:http, which has a limit of its own. */
const maxHeadLength = 16 * 1024;

/** Minimum buffer space for a read. */
const leastRoomBytes = 64 * 1024;

/** A connection for bodies of known length, read into large buffers without the copies of Node's client. One exchange at a time. */
export class BulkConnection {
  readonly #socket: Socket;
  readonly #idleTimeoutMs: number;
  readonly #silence: Silence;
  #buffer = buffers.take(0);
  /** Unread bytes: these, then `from` to `to` of the buffer. */
  #full: Uint8Array[] = [];
  #fullBytes = 0;
  #from = 0;
  #to = 0;
  /** The last buffer that the reader of an earlier response may still hold. */
  #retained: ArrayBufferLike | undefined;
  #paused = false;
  /** Set at the end of the data. */
  #failure: Error | undefined;
  /** The length of the current body. */
  #length = 0;
  /** Whether the last response had a status from 200 to 299. */
  isSuccess = false;
  /** Whether the other side closed the connection cleanly. */
  #hasEnded = false;
  /** Whether no response is being received. */
  #isOver = true;
  #isResting = false;
  #wake = () => {};
  #onGone: (() => void) | undefined;

  constructor(url: URL, options: TransportOptions, secure: typeof connectTls | undefined) {
    const target = {
      // Node expects an IPv6 address without brackets.
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: Number(url.port) || (secure === undefined ? 80 : 443),
      onread: { buffer: () => this.#room(), callback: (bytes: number) => this.#take(bytes) },
    };
    this.#idleTimeoutMs = options.idleTimeoutMs;
    this.#silence = new Silence(options.idleTimeoutMs);
    this.#socket = secure === undefined ? net.connect(target) : secure(tlsOptions(target, options));
    this.#socket.on("error", (error) => this.#end(error));
    this.#socket.on("end", () => {
      this.#hasEnded = this.#failure === undefined;
    });
    for (const event of ["end", "close"])
      this.#socket.on(event, () => this.#end(cutError("the connection was closed")));
    buffers.connections++;
    this.#socket.once("close", () => {
      if (!this.#isResting) buffers.connections--;
    });
    this.#socket.on("timeout", () => this.#onSilence());
    this.#socket.setTimeout(this.#silence.partMs);
    this.#limitConnecting(secure === undefined ? "connect" : "secureConnect", options.connectTimeoutMs);
  }

  /** Sends a request and resolves with the response head; undefined if the body cannot be read here, see `replay`. */
  async request(head: string, options: { readonly hasBody: boolean }): Promise<ResponseHead | undefined> {
    this.#isOver = false;
    this.#socket.write(head, "latin1");
    const text = await this.#headText();
    this.isSuccess = /^HTTP\/1\.\d 2/.test(text);
    const response = text.endsWith(headEnd) ? parseResponseHead(text.slice(0, -headEnd.length), options) : undefined;
    if (response === undefined) this.#putBack(Buffer.from(text, "latin1"));
    else this.#length = response.length;
    return response;
  }

  /** Returns the response as it arrives, head included, for another HTTP client, whose writes are dropped; ends with the connection. */
  replay(): Duplex {
    const connection = this;
    return new Duplex({
      read() {
        connection.#next().then(
          (chunk) => this.push(chunk),
          (error) => (connection.#hasEnded ? this.push(null) : this.destroy(error)),
        );
      },
      write: (_chunk, _encoding, done) => done(),
      // That client ends the stream after the complete response.
      final(done) {
        done();
        this.destroy();
      },
      destroy(error, done) {
        connection.destroy(error ?? cutError("the response has been read"));
        done(error);
      },
    });
  }

  /** Yields the last response's body. With `reuse`, a chunk's memory is reused when the next chunk is read. */
  async *body(reuse: boolean): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = this.#length; left > 0; ) {
      const chunk = await this.#next();
      const wanted = chunk.subarray(0, left);
      left -= wanted.byteLength;
      this.#putBack(chunk.subarray(wanted.byteLength));
      if (!reuse) this.#retained = wanted.buffer;
      yield wanted;
      if (reuse) this.#takeBack(wanted.buffer);
    }
    this.#isOver = true;
  }

  /**
   * Waits until a small body is there, and returns it; its memory is not reused. Returns undefined after `limitMs`, at the end of the data, or
   * if the body is not in one buffer: then `body` yields it.
   */
  async complete(limitMs: number): Promise<Uint8Array | undefined> {
    const length = this.#length;
    let isLate = false;
    let timer: NodeJS.Timeout | undefined;
    while (this.#to - this.#from < length) {
      if (isLate || this.#full.length > 0 || this.#failure !== undefined) break;
      timer ??= setTimeout(() => {
        isLate = true;
        this.#wake();
      }, limitMs).unref();
      await this.#woken();
    }
    clearTimeout(timer);
    if (this.#full.length > 0 || this.#to - this.#from < length) return undefined;
    const bytes = this.#buffer.subarray(this.#from, this.#from + length);
    this.#from += length;
    this.#retained = bytes.buffer;
    this.#isOver = true;
    return bytes;
  }

  /** Calls `act` when the host has accepted the connection. */
  onConnected(act: () => void): void {
    this.#socket.once("connect", act);
  }

  /** Whether it can send another request. */
  get isFree(): boolean {
    return this.#isOver && this.#failure === undefined && this.#full.length === 0 && this.#to === this.#from;
  }

  /** Keeps it open for a while without keeping the process alive. Calls `onGone` if it closes. */
  rest(keepMs: number, onGone: () => void): void {
    this.#onGone = onGone;
    this.#isResting = true;
    buffers.connections--;
    this.#socket.setTimeout(keepMs);
    this.#socket.unref();
  }

  wakeUp(): void {
    this.#onGone = undefined;
    this.#isResting = false;
    buffers.connections++;
    this.#silence.restart();
    this.#socket.setTimeout(this.#silence.partMs);
    this.#socket.ref();
  }

  destroy(error: Error): void {
    this.#end(error);
    this.#socket.destroy();
  }

  /** Returns the head including the final empty line; without that line if the head is too long. */
  async #headText(): Promise<string> {
    let text = "";
    while (text.length <= maxHeadLength) {
      const chunk = await this.#next();
      const before = text.length;
      text += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
      const at = text.indexOf(headEnd, Math.max(0, before - headEnd.length + 1));
      if (at < 0) continue;
      const length = at + headEnd.length;
      this.#putBack(chunk.subarray(length - before));
      return text.slice(0, length);
    }
    return text;
  }

  async #next(): Promise<Uint8Array> {
    for (;;) {
      const chunk = this.#full.shift() ?? this.#newest();
      if (chunk !== undefined) return chunk;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#paused) {
        this.#paused = false;
        this.#socket.resume();
      }
      await this.#woken();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Returns the filled, untaken part of the current buffer; filling continues after it. */
  #newest(): Uint8Array | undefined {
    this.#fullBytes = 0;
    if (this.#to === this.#from) return undefined;
    const chunk = this.#buffer.subarray(this.#from, this.#to);
    this.#from = this.#to;
    return chunk;
  }

  /** Puts back unused bytes. */
  #takeBack(memory: ArrayBufferLike): void {
    const isInUse = [this.#buffer.buffer, this.#full[0]?.buffer, this.#retained].includes(memory);
    if (!isInUse) buffers.putBack(Buffer.from(memory));
  }

  #putBack(chunk: Uint8Array): void {
    const { buffer, byteOffset, byteLength } = chunk;
    const isNewest = buffer === this.#buffer.buffer && byteOffset + byteLength === this.#buffer.byteOffset + this.#from;
    if (isNewest && this.#full.length === 0) this.#from -= byteLength;
    else if (byteLength > 0) this.#full.unshift(chunk);
  }

  #room(): Uint8Array {
    if (this.#buffer.byteLength - this.#to < leastRoomBytes) {
      const filled = this.#buffer.subarray(this.#from, this.#to);
      if (filled.byteLength > 0) this.#full.push(filled);
      this.#fullBytes += filled.byteLength;
      this.#buffer = buffers.take(this.#length);
      this.#from = 0;
      this.#to = 0;
    }
    return this.#buffer.subarray(this.#to);
  }

  /** Returns false if the socket must pause. */
  #take(bytes: number): boolean {
    this.#to += bytes;
    this.#wake();
    this.#paused = this.#fullBytes + this.#to - this.#from >= this.#buffer.byteLength;
    return !this.#paused;
  }

  /** Ignores silence while the body is not being read. */
  #onSilence(): void {
    if (this.#paused) this.#silence.restart();
    if (!this.#paused && (this.#isResting || this.#silence.isTooLong(this.#socket))) {
      this.destroy(timeoutError(`nothing came for ${this.#idleTimeoutMs} ms`));
    } else this.#socket.setTimeout(this.#silence.partMs);
  }

  #end(error: Error): void {
    this.#failure ??= error;
    this.#wake();
    this.#onGone?.();
    if (!this.#socket.destroyed) this.#socket.destroySoon();
  }

  #limitConnecting(connected: "connect" | "secureConnect", ms: number): void {
    const timer = setTimeout(() => this.destroy(timeoutError(`no connection within ${ms} ms`)), ms);
    this.#socket.once(connected, () => clearTimeout(timer));
    this.#socket.once("close", () => clearTimeout(timer));
  }
}

function tlsOptions<T extends { readonly host: string }>(target: T, { tls }: TransportOptions) {
  return {
    ...target,
    ...tls,
    // RFC 6066, section 3: no IP addresses.
    ...(net.isIP(target.host) === 0 ? { servername: target.host } : {}),
  };
}
