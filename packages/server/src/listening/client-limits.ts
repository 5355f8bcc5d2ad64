import { isIPv6 } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface ClientLimit {
  /** The maximum number of in-flight requests of a client. */
  readonly requests?: number | undefined;
  /** The maximum rate of the bodies that a client gets, in bytes per second. */
  readonly bytesPerSecond?: number | undefined;
}

interface Client {
  inFlight: number;
  /** When the rate allows the next bytes, by `performance.now()`. */
  nextMs: number;
}

/** A request of a client that is within its limit. */
export interface ClientTurn {
  /** Waits until the client may get more after `bytes`. Undefined if it may immediately. */
  pace(bytes: number, signal: AbortSignal): Promise<void> | undefined;
  end(): void;
}

/** Limits what each client may use at a time. A client is an IPv4 address, or the /64 network of an IPv6 address. */
export class ClientLimits {
  readonly #requests: number;
  readonly #bytesPerMs: number;
  /** Those with in-flight requests. */
  readonly #clients = new Map<string, Client>();

  constructor({ requests = Number.POSITIVE_INFINITY, bytesPerSecond = Number.POSITIVE_INFINITY }: ClientLimit) {
    if (!(requests >= 1)) throw new TypeError("requests must be at least 1");
    if (!(bytesPerSecond >= 1)) throw new TypeError("bytesPerSecond must be at least 1");
    this.#requests = requests;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Begins a request. Returns undefined if the client has too many. */
  begin(address: string): ClientTurn | undefined {
    const key = clientKey(address);
    const client = this.#clients.get(key) ?? { inFlight: 0, nextMs: 0 };
    if (client.inFlight >= this.#requests) return undefined;
    client.inFlight++;
    this.#clients.set(key, client);
    return {
      pace: (bytes, signal) => {
        if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return undefined;
        const now = performance.now();
        client.nextMs = Math.max(client.nextMs, now) + bytes / this.#bytesPerMs;
        return client.nextMs - now < 1 ? undefined : sleep(client.nextMs - now, undefined, { signal });
      },
      end: () => {
        if (--client.inFlight === 0) this.#clients.delete(key);
      },
    };
  }
}

/** Returns an IPv4 address, or the first 64 bits of an IPv6 address: a client has all addresses of such a network. */
export function clientKey(address: string): string {
  const text = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!isIPv6(text)) return text;
  const [head = "", tail] = text.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const all = [...groups, ...Array.from({ length: 8 - groups.length - after.length }, () => "0"), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
