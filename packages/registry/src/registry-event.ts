import type { Digest } from "@mote/core";

interface Asked {
  /** As references name it. */
  readonly registry: string;
  readonly repository?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** What a registry's client waits for, and did about a failure. Enough to draw it; never a secret. */
export type RegistryEvent =
  /** A request has not been answered for a second. */
  | (Asked & {
      readonly type: "wait";
      /** The one that is asked: the registry, one of its mirrors, its token service, or where a redirect leads. */
      readonly host: string;
    })
  | (Asked & {
      readonly type: "retry";
      /** The one that failed. */
      readonly host: string;
      /** Counted from 1. */
      readonly attempt: number;
      /** How many there are at most. */
      readonly retries: number;
      readonly delayMs: number;
      /** The status, or how the connection failed. */
      readonly reason: string;
    })
  | (Asked & {
      readonly type: "resume";
      /** The byte of the blob that the reading goes on from. */
      readonly offset: number;
      readonly reason: string;
    });
