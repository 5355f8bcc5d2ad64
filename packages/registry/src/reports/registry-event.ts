import type { Cancellable, Digest } from "@mote/core";

interface Requested {
  /** As references name it. */
  readonly registry: string;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** What a registry's client waits for, and did about an error. Enough to draw it; never a secret. */
export type RegistryEvent =
  /** A request has had no response for a second. */
  | (Requested & {
      readonly type: "wait";
      /** The host that has not responded: the registry, one of its mirrors, its token service, or where a redirect leads. */
      readonly host: string;
    })
  | (Requested & {
      readonly type: "retry";
      /** The host that failed. */
      readonly host: string;
      /** Counted from 1. */
      readonly attempt: number;
      /** How many there are at most. */
      readonly retries: number;
      readonly delayMs: number;
      /** The status, or how the connection failed. */
      readonly reason: string;
    })
  | (Requested & {
      readonly type: "resume";
      /** The byte of the blob at which reading continues. */
      readonly offset: number;
      readonly reason: string;
    });

/** Who hears of the events that a request causes. */
export interface RequestEvents {
  readonly onEvent?: ((event: RegistryEvent) => void) | undefined;
}

/** Options of a method that sends requests. */
export interface RequestOptions extends Cancellable, RequestEvents {}
