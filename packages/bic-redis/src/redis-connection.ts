import { CircuitBreaker, hasCode } from "@mote/core";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { parseRedisUrl, type RedisAddress } from "./redis-address.js";
import { redisError, unreachable } from "./redis-error.js";

/** Certificates and keys in PEM. */
export interface TlsOptions {
  readonly ca?: string | readonly string[] | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface RedisConnectionOptions {
  /** What the names of all keys begin with. Those with the same prefix share their facts and leases. Default `mote-bic`. */
  readonly prefix?: string | undefined;
  /** Milliseconds after which a call fails with MOTE_UNREACHABLE if Redis has not responded. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Certificates, for addresses with TLS. Default: those of Node. */
  readonly tls?: TlsOptions | undefined;
}

/** A connection to Redis in one of its forms. */
export type RedisClient = Redis | Cluster;

const maxReconnectDelayMs = 500;
const defaultTimeoutMs = 5_000;

/** Connects to Redis, and limits how long its calls may take. */
export class RedisConnection {
  readonly name: string;
  /** What all keys begin with. A cluster stores keys with the same hash tag on one node, so that a script can change them together. */
  readonly prefix: string;
  readonly #address: RedisAddress;
  readonly #timeoutMs: number;
  readonly #tls: TlsOptions | undefined;
  readonly #breaker = new CircuitBreaker(() => performance.now());
  /** Why the last connection failed, which ioredis reports only by an event. */
  #lastError: Error | undefined;

  /** @throws MOTE_CONFIG for a URL that is not valid · TypeError for a time that is not */
  constructor(url: string, { prefix = "mote-bic", timeoutMs = defaultTimeoutMs, tls }: RedisConnectionOptions) {
    if (!(timeoutMs > 0)) throw new TypeError(`timeoutMs must be above 0, not ${timeoutMs}`);
    this.#address = parseRedisUrl(url);
    this.name = this.#address.name;
    this.prefix = `{${prefix.replace(/[{}]/g, "_")}}:`;
    this.#timeoutMs = timeoutMs;
    this.#tls = tls;
  }

  /** Connects. Afterwards the connection is restored in the background whenever it is lost. @throws MOTE_UNREACHABLE · MOTE_UNAUTHORIZED */
  async connect(): Promise<RedisClient> {
    this.#lastError = undefined;
    const client = this.#createClient();
    client.on("error", (error: Error) => {
      this.#lastError = error;
    });
    try {
      await this.call(() => client.connect());
      return client;
    } catch (error) {
      client.disconnect();
      throw error;
    }
  }

  /** Waits for a call. After several that failed, calls fail at once for a while. @throws MOTE_UNREACHABLE · the code of another error of Redis */
  async call<Result>(send: () => Promise<Result>): Promise<Result> {
    if (!this.#breaker.tryRequest())
      throw unreachable(this.name, "has failed several times; the next request is in a moment", this.#lastError);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#lateError()), this.#timeoutMs);
    });
    try {
      const result = await Promise.race([send(), late]);
      this.#breaker.succeeded();
      return result;
    } catch (cause) {
      const error = redisError(this.name, isConnectionClosed(cause) ? (this.#lastError ?? cause) : cause);
      if (hasCode(error, "MOTE_UNREACHABLE")) this.#breaker.failed();
      else this.#breaker.succeeded();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #lateError(): Error {
    const reason = this.#lastError === undefined ? "" : `: ${this.#lastError.message}`;
    return unreachable(this.name, `did not respond within ${this.#timeoutMs} ms${reason}`, this.#lastError);
  }

  #createClient(): RedisClient {
    const { kind, hosts, username, password, db, isTls, master = "" } = this.#address;
    const { ca, cert, key } = this.#tls ?? {};
    const [{ host, port } = { host: "", port: 0 }] = hosts;
    const tls = {
      ...(ca ? { ca: typeof ca === "string" ? ca : [...ca] } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
    };
    const options = {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      connectTimeout: this.#timeoutMs,
      lazyConnect: true,
      disableClientInfo: true,
      // `call` limits the time. Scripts may be repeated: they compare before they write.
      maxRetriesPerRequest: null,
      retryStrategy: (times: number) => Math.min(50 * times, maxReconnectDelayMs),
      // A former master is a replica after a failover; the connection must find the new one.
      reconnectOnError: (error: Error) => (error.message.startsWith("READONLY") ? 2 : false),
    } satisfies RedisOptions;
    if (kind === "single")
      return new Redis({ ...options, host, port, db, ...(isTls ? { tls: { host, servername: host, ...tls } } : {}) });
    if (kind === "sentinel") {
      return new Redis({
        ...options,
        sentinels: [...hosts],
        name: master,
        db,
        ...(isTls ? { tls, sentinelTLS: tls, enableTLSForSentinelMode: true } : {}),
      });
    }
    const { lazyConnect, retryStrategy, ...nodeOptions } = options;
    return new Cluster([...hosts], {
      lazyConnect,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: this.#timeoutMs,
      redisOptions: { ...nodeOptions, ...(isTls ? { tls } : {}) },
    });
  }
}

function isConnectionClosed(error: unknown): boolean {
  return error instanceof Error && error.message === "Connection is closed.";
}
