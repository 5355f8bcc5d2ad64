import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** The maximum number of connections beyond the limit that get an error response; others are closed immediately. */
const maxRejected = 100;
/** Connections that are idle for this long may be closed in favor of new ones. */
const minIdleMs = 5000;
const maxPipelinedRequests = 100;
/** The number of checks of a connection during the write timeout. */
const stallChecks = 12;
const maxDefaultConnections = 4096;
/** File descriptors that are not available for clients. */
const reservedDescriptors = 128;

export interface Connection {
  /** Whether it is beyond the limit, so that its request is rejected. */
  readonly isRejected: boolean;
  inFlight: number;
  /** When the last request ended, by `performance.now()`. */
  idleSinceMs: number;
  /** Resolves when all previous requests have ended. */
  turn: Promise<void>;
  /** How long the client has read nothing, and when that was last checked. */
  stalledMs: number;
  checkedMs: number;
  /** Called when the connection has closed. */
  readonly onClose: Set<() => void>;
}

export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly writeTimeoutMs: number;
}

/** Limits the connections of a server and closes those of clients that read nothing. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #tickMs: number;
  readonly #connections = new Map<Socket, Connection>();
  readonly #maxRejected = maxRejectedConnections();
  #rejected = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
    this.#tickMs = Math.max(1, Math.ceil(limits.writeTimeoutMs / stallChecks));
  }

  add(socket: Socket): void {
    const isRejected =
      this.#connections.size - this.#rejected >= this.#limits.maxConnections && !this.#closeLongestIdle();
    if (isRejected && this.#rejected >= this.#maxRejected) {
      socket.destroy();
      return;
    }
    if (isRejected) this.#rejected++;
    const connection: Connection = {
      isRejected,
      inFlight: 0,
      idleSinceMs: performance.now(),
      turn: Promise.resolve(),
      stalledMs: 0,
      checkedMs: 0,
      onClose: new Set(),
    };
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      if (isRejected) this.#rejected--;
      for (const listener of [...connection.onClose]) listener();
    });
  }

  /** Starts a request. Returns undefined if its connection is closed or has too many pipelined requests. */
  begin(socket: Socket): Connection | undefined {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return undefined;
    if (++connection.inFlight > maxPipelinedRequests) {
      socket.destroy();
      return undefined;
    }
    connection.stalledMs = 0;
    socket.setTimeout(this.#tickMs);
    return connection;
  }

  end(connection: Connection): void {
    connection.inFlight--;
    connection.idleSinceMs = performance.now();
  }

  /** Closes all connections without in-flight requests. */
  closeIdle(): void {
    for (const [socket, { inFlight }] of this.#connections) if (inFlight === 0) socket.destroy();
  }

  /**
   * Handles a socket timeout. Closes an idle connection, or one whose client has read nothing during the write timeout.
   * @returns whether the connection was closed because its client reads nothing
   */
  handleTimeout(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.inFlight === 0) {
      socket.destroy();
      return false;
    }
    const now = performance.now();
    const isWaiting = socket.writableLength > 0;
    // If the last check is longer ago than a tick, bytes were sent meanwhile.
    const hasProgressed = now - connection.checkedMs > 1.5 * this.#tickMs;
    connection.stalledMs = isWaiting ? (hasProgressed ? 0 : connection.stalledMs) + this.#tickMs : 0;
    connection.checkedMs = now;
    if (connection.stalledMs < this.#limits.writeTimeoutMs) {
      socket.setTimeout(this.#tickMs);
      return false;
    }
    socket.destroy();
    return true;
  }

  /** Closes the connection that has been idle the longest, if any. */
  #closeLongestIdle(): boolean {
    let found: Socket | undefined;
    let since = performance.now() - minIdleMs;
    for (const [socket, { inFlight, idleSinceMs, isRejected }] of this.#connections) {
      if (inFlight > 0 || isRejected || idleSinceMs >= since) continue;
      found = socket;
      since = idleSinceMs;
    }
    if (found === undefined) return false;
    this.#connections.delete(found);
    found.destroy();
    return true;
  }
}

/** Returns the default limit: half of the available descriptors, because a response with a blob needs a socket and a file. */
export function defaultMaxConnections(openFiles = openFilesLimit()): number {
  return Math.max(16, Math.min(maxDefaultConnections, Math.floor((openFiles - reservedDescriptors) / 2)));
}

/** Returns the limit of rejected connections: at most a quarter of the descriptors, so that others remain available. */
export function maxRejectedConnections(openFiles = openFilesLimit()): number {
  return Math.max(1, Math.min(maxRejected, Math.floor(openFiles / 4)));
}

function openFilesLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
