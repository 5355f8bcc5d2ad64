import type { Digest } from "@mote/core";

/** How a blob got to the destination, or to the cache if there is no destination. */
export type Delivery =
  /** From the source into the cache, without a destination. */
  | "fetched"
  /** It was already in the cache, without a destination. */
  | "hit"
  | "linked"
  /** Its bytes were sent to the destination. */
  | "copied"
  | "mounted"
  /** The destination already had it. */
  | "skipped";

/** An event of a transfer. Events of one digest are in order. `size`, `bytes` and `offset` are in bytes. */
export type TransferEvent =
  /** All manifests are read; counts each digest once. Only `warning`, and `wait` and `retry` of a registry, may come before it. */
  | { readonly type: "plan"; readonly manifests: number; readonly blobs: number; readonly bytes: number }
  /** The transfer of a blob starts. It ends with `done` unless the transfer fails. */
  | { readonly type: "start"; readonly digest: Digest; readonly size: number; readonly mediaType: string }
  /** `bytes` of `size` have been read from the source or cache, or rebuilt. Sent about once per MiB; starts again after `retry` and `rebuild`. */
  | { readonly type: "progress"; readonly digest: Digest; readonly size: number; readonly bytes: number }
  /** The cache has the blob. */
  | { readonly type: "hit"; readonly digest: Digest; readonly size: number }
  /** The blob was fetched into the cache from a tier behind it. */
  | { readonly type: "fill"; readonly digest: Digest; readonly size: number }
  /** The blob was rebuilt from other content of the cache. */
  | { readonly type: "rebuild"; readonly digest: Digest; readonly size: number }
  /** The cache linked the blob at `target`. */
  | { readonly type: "link"; readonly digest: Digest; readonly size: number; readonly target: string }
  /** The destination mounted the blob from another repository. */
  | { readonly type: "mount"; readonly digest: Digest; readonly size: number }
  /** The fetch continues at `offset`, after an earlier attempt or an interrupted connection. */
  | {
      readonly type: "resume";
      readonly digest: Digest;
      readonly size: number;
      readonly offset: number;
      /** Why the connection was interrupted. */
      readonly reason?: string | undefined;
    }
  /**
   * Without `registry`, the blob is fetched or sent again from its start. With `registry`, a request for a blob, a manifest or a tag is
   * repeated; received bytes are kept.
   */
  | {
      readonly type: "retry";
      readonly digest?: Digest | undefined;
      readonly size?: number | undefined;
      /** The error, such as the status or connection error of a registry. */
      readonly reason: string;
      readonly registry?: string | undefined;
      /** The host that failed: the registry, a mirror, its token service, or a redirect target. */
      readonly host?: string | undefined;
      /** Counted from 1. */
      readonly attempt?: number | undefined;
      /** The maximum number of retries. */
      readonly retries?: number | undefined;
      /** The delay before the retry. */
      readonly delayMs?: number | undefined;
    }
  /** A request for a blob, a manifest or a tag has had no response for a second. */
  | {
      readonly type: "wait";
      readonly digest?: Digest | undefined;
      readonly size?: number | undefined;
      readonly registry: string;
      /** The requested host: the registry, a mirror, its token service, or a redirect target. */
      readonly host: string;
    }
  | { readonly type: "done"; readonly digest: Digest; readonly size: number; readonly delivery: Delivery }
  /** An error that does not fail the transfer. */
  | {
      readonly type: "warning";
      readonly message: string;
      readonly code?: string | undefined;
      readonly digest?: Digest | undefined;
    };
