import {
  type AcquireFetchLeaseOptions,
  assertAcquireArguments,
  assertFetchLeaseOptions,
  assertFetchSecret,
  type Cancellable,
  type Digest,
  type FetchLease,
  type FetchLeases,
  isFetchSecret,
  isLeaseHolder,
  isLeaseToken,
  longestFetchLeaseMs,
  MoteError,
  parseDigest,
  type RenewFetchLeaseOptions,
  untilAborted,
} from "@mote/core";
import { leaseScripts } from "./lease-scripts.js";
import { type RedisClient, RedisConnection, type RedisConnectionOptions } from "./redis-connection.js";
import { defineScripts, runScript } from "./redis-script.js";

export type RedisFetchLeasesOptions = RedisConnectionOptions;

/** Times that a value that is not a lease is replaced. */
const maxTries = 3;

/** Leases of fetches in Redis or Valkey. Each call is one script; Redis removes leases that have lapsed. */
export class RedisFetchLeases implements FetchLeases {
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  #client: Promise<RedisClient> | undefined;
  #isClosed = false;

  /** Connects at first use. @param url as of `RedisBlobInfoCache` @throws MOTE_CONFIG for another URL */
  constructor(url: string, options: RedisFetchLeasesOptions = {}) {
    this.#connection = new RedisConnection(url, options);
    this.#prefix = this.#connection.prefix;
  }

  async acquire(digest: Digest, holder: string, options: AcquireFetchLeaseOptions): Promise<FetchLease> {
    assertAcquireArguments(digest, holder, options);
    const key = this.#keyOf(digest);
    let replaces = String(options.replaces ?? "");
    for (let tries = 0; tries < maxTries; tries++) {
      const keys = [key, `${this.#prefix}fetch-token`];
      const args = [holder, String(options.durationMs), replaces, String(longestFetchLeaseMs)];
      const value = String(await this.#run("acquire", [...keys, ...args], options));
      const [token = "", isStored, held] = value.split(" ", 3);
      if (isLeaseHolder(held) && isLeaseToken(Number(token)))
        return { digest, holder: held, token: Number(token), isStored: isStored === "1" };
      // Another program has stored it.
      replaces = token;
    }
    throw new MoteError("MOTE_IO", `another program changes ${key} in ${this.#connection.name}; use another prefix`);
  }

  async renew(lease: FetchLease, options: RenewFetchLeaseOptions): Promise<boolean> {
    const key = this.#keyOf(lease.digest);
    assertFetchLeaseOptions(options);
    const { durationMs, isStored } = options;
    const stored = isStored === undefined ? "" : isStored ? "1" : "0";
    const args = [String(lease.token), lease.holder, String(durationMs), stored];
    return (await this.#run("renew", [key, ...args], options)) === 1;
  }

  async release(lease: FetchLease, options: Cancellable = {}): Promise<void> {
    await this.#run("release", [this.#keyOf(lease.digest), String(lease.token), lease.holder], options);
  }

  async secret(proposed: string, options: Cancellable = {}): Promise<string> {
    assertFetchSecret(proposed);
    const key = `${this.#prefix}fetch-secret`;
    const secret = await this.#run("secret", [key, proposed], options);
    if (isFetchSecret(secret)) return secret;
    throw new MoteError("MOTE_IO", `the secret of the fleet in ${this.#connection.name} is damaged; remove ${key}`, {
      details: { server: this.#connection.name, key },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    (await this.#client?.catch(() => undefined))?.disconnect();
  }

  async #run(script: keyof typeof leaseScripts, args: readonly string[], { signal }: Cancellable): Promise<unknown> {
    this.#assertOpen();
    signal?.throwIfAborted();
    return await untilAborted(this.#send(script, args), signal);
  }

  async #send(script: string, args: readonly string[]): Promise<unknown> {
    this.#client ??= this.#connect();
    const client = await this.#client;
    this.#assertOpen();
    return await this.#connection.call(() => runScript(client, script, args));
  }

  async #connect(): Promise<RedisClient> {
    try {
      const client = await this.#connection.connect();
      defineScripts(client, leaseScripts);
      return client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  #keyOf(digest: Digest): string {
    return `${this.#prefix}fetch:${parseDigest(digest)}`;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new MoteError("MOTE_CLOSED", "the leases are closed");
  }
}
