import { formatDuration } from "../output/quantity.js";
import type { TransferEvent } from "../wire.js";

type Retry = Extract<TransferEvent, { type: "retry" }>;

interface Wait {
  readonly host: string;
  /** The blob, or undefined for a manifest or a tag. */
  readonly digest: string | undefined;
  readonly retry: Retry | undefined;
  /** Start of the retry in Unix milliseconds. */
  readonly retryAtMs: number;
}

/** Reasons for a retry, for people. Any other reason is a status. */
const reasons: Readonly<Record<string, string>> = {
  unresolved: "host not found",
  connect: "no connection",
  proxy: "proxy error",
  tls: "TLS error",
  timeout: "no response",
  slow: "too slow",
  cut: "connection closed",
};

/** The registries that a transfer is waiting for, the latest last. */
export class RegistryWaits {
  #waits: readonly Wait[] = [];

  take(event: TransferEvent, nowMs: number): void {
    if (event.type === "plan" || event.type === "done" || event.type === "progress" || event.type === "resume") {
      const digest = event.type === "plan" ? undefined : event.digest;
      this.#waits = this.#waits.filter((wait) => wait.digest !== digest);
      return;
    }
    if (event.type !== "wait" && (event.type !== "retry" || event.registry === undefined)) return;
    const { digest, registry = "" } = event;
    const before = this.#waits.find((wait) => wait.digest === digest);
    const others = this.#waits.filter((wait) => wait !== before);
    const retry = event.type === "retry" ? event : before?.retry;
    const retryAtMs = event.type === "retry" ? nowMs + (event.delayMs ?? 0) : nowMs;
    this.#waits = [...others, { host: event.host ?? registry, digest, retry, retryAtMs }];
  }

  /** Returns a line for the latest wait, such as `retrying registry.example (2 of 4) in 1.0 s: 503`. */
  line(nowMs: number): string | undefined {
    const wait = this.#waits.at(-1);
    if (wait === undefined) return undefined;
    const more = this.#waits.length > 1 ? `, and ${this.#waits.length - 1} more` : "";
    const { host, retry, retryAtMs } = wait;
    const leftMs = retryAtMs - nowMs;
    if (retry === undefined) return `waiting for ${host}${more}`;
    return leftMs > 0 ? `${retryLine(retry, leftMs)}${more}` : `waiting for ${host} (retry ${countOf(retry)})${more}`;
  }
}

function retryLine(retry: Retry, leftMs: number): string {
  const { host, registry, reason } = retry;
  return `retrying ${host ?? registry} (${countOf(retry)}) in ${formatDuration(leftMs)}: ${reasons[reason] ?? reason}`;
}

function countOf({ attempt = 1, retries }: Retry): string {
  return retries === undefined ? String(attempt) : `${attempt} of ${retries}`;
}
