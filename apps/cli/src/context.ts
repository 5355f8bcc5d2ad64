import type { Output } from "./output.js";

/** What every command gets beside its own arguments. */
export interface Context {
  readonly out: Output;
  /** The cache folder. */
  readonly dir: string;
  readonly plainHttp: boolean;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}
