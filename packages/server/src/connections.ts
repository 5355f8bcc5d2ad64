import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** Connections beyond the limit that are told so; further ones are closed without a word. */
const mostRefused = 100;
/** A connection on which nothing has been asked for so long makes room for a new one. */
const idleMs = 5000;
/** Requests of one connection that wait for those before them. */
const mostPipelined = 100;
/** Looks at a connection within the time that a client may read nothing: the more, the closer that time is kept. */
const looks = 12;
const mostConnections = 4096;
/** Descriptors that are needed beside those of clients. */
const reservedDescriptors = 128;

/** A client's connection. */
export interface Connection {
  /** Beyond the limit: its request is refused. */
  readonly isRefused: boolean;
  inFlight: number;
  /** By the clock of `performance`: since when nothing is in flight. */
  idleSinceMs: number;
  /** Ends when all requests before the next one have been answered. */
  turn: Promise<void>;
  /** How long the client has read nothing, and when that was seen last. */
  silentMs: number;
  lookedMs: number;
  /** Called when the connection is gone. */
  readonly onGone: Set<() => void>;
}

export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly writeTimeoutMs: number;
}

/** The connections of a server: how many there are, and whether their clients still read. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #tickMs: number;
  readonly #connections = new Map<Socket, Connection>();
  readonly #mostRefused = mostRefusedWithin();
  #refused = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
    this.#tickMs = Math.max(1, Math.ceil(limits.writeTimeoutMs / looks));
  }

  add(socket: Socket): void {
    const isRefused = this.#connections.size - this.#refused >= this.#limits.maxConnections && !this.#closeIdle();
    if (isRefused && this.#refused >= this.#mostRefused) {
      socket.destroy();
      return;
    }
    if (isRefused) this.#refused++;
    const connection: Connection = {
      isRefused,
      inFlight: 0,
      idleSinceMs: performance.now(),
      turn: Promise.resolve(),
      silentMs: 0,
      lookedMs: 0,
      onGone: new Set(),
    };
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      if (isRefused) this.#refused--;
      for (const gone of [...connection.onGone]) gone();
    });
  }

  /** A request has come. Undefined where its connection is at an end, or has sent too many requests ahead. */
  begin(socket: Socket): Connection | undefined {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return undefined;
    if (++connection.inFlight > mostPipelined) {
      socket.destroy();
      return undefined;
    }
    connection.silentMs = 0;
    socket.setTimeout(this.#tickMs);
    return connection;
  }

  end(connection: Connection): void {
    connection.inFlight--;
    connection.idleSinceMs = performance.now();
  }

  /** Closes those on which nothing is asked. */
  closeIdle(): void {
    for (const [socket, { inFlight }] of this.#connections) if (inFlight === 0) socket.destroy();
  }

  /**
   * Nothing was sent or received on the connection for a while. Between requests, that was the time that it is kept alive; while one is
   * answered, it ends the connection only if bytes wait for the client, and have for long enough.
   * @returns whether the client was cut off because it reads nothing
   */
  timedOut(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.inFlight === 0) {
      socket.destroy();
      return false;
    }
    const now = performance.now();
    const isWaiting = socket.writableLength > 0;
    // If the last look is longer ago than a tick, bytes have gone out in between.
    const wentOn = now - connection.lookedMs > 1.5 * this.#tickMs;
    connection.silentMs = isWaiting ? (wentOn ? 0 : connection.silentMs) + this.#tickMs : 0;
    connection.lookedMs = now;
    if (connection.silentMs < this.#limits.writeTimeoutMs) {
      socket.setTimeout(this.#tickMs);
      return false;
    }
    socket.destroy();
    return true;
  }

  /** Makes room by what was not used the longest. */
  #closeIdle(): boolean {
    let found: Socket | undefined;
    let since = performance.now() - idleMs;
    for (const [socket, { inFlight, idleSinceMs, isRefused }] of this.#connections) {
      if (inFlight > 0 || isRefused || idleSinceMs >= since) continue;
      found = socket;
      since = idleSinceMs;
    }
    if (found === undefined) return false;
    this.#connections.delete(found);
    found.destroy();
    return true;
  }
}

/** What a process may have open, by half: a client that is sent a blob takes a connection and a file. */
export function defaultMaxConnections(openFiles = openFilesLimit()): number {
  return Math.max(16, Math.min(mostConnections, Math.floor((openFiles - reservedDescriptors) / 2)));
}

/** Those that are refused take no more than a fourth: no connection could else be taken, and no idle one be closed for it. */
export function mostRefusedWithin(openFiles = openFilesLimit()): number {
  return Math.max(1, Math.min(mostRefused, Math.floor(openFiles / 4)));
}

function openFilesLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
