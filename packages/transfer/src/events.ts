import type { Digest } from "@mote/core";

/** How a blob came to be where it was wanted. Without a destination, that is the cache. */
export type Delivery =
  /** From the source into the cache, and nowhere else. */
  | "fetched"
  /** It was in the cache, and nothing else was wanted. */
  | "hit"
  | "linked"
  /** Sent to the destination byte by byte. */
  | "copied"
  | "mounted"
  /** The destination had it. */
  | "skipped";

/** What happens during a transfer, in its order for each digest. Sizes, bytes and offsets are bytes. */
export type TransferEvent =
  /** All manifests are read: this much is to be moved, each digest counted once. The first event, but for warnings, and for `wait` and `retry` of a registry. */
  | { readonly type: "plan"; readonly manifests: number; readonly blobs: number; readonly bytes: number }
  /** A blob's turn has come. It ends in `done`, or the transfer fails. */
  | { readonly type: "start"; readonly digest: Digest; readonly size: number; readonly mediaType: string }
  /** So much has come from the source or the cache, of `size`. Sent once in a while, and begins again after `retry`. */
  | { readonly type: "progress"; readonly digest: Digest; readonly size: number; readonly bytes: number }
  /** The cache has it. */
  | { readonly type: "hit"; readonly digest: Digest; readonly size: number }
  /** Placed at `target` out of the cache, without copying its bytes through this process. */
  | { readonly type: "link"; readonly digest: Digest; readonly size: number; readonly target: string }
  /** The destination took it from another place of its own. */
  | { readonly type: "mount"; readonly digest: Digest; readonly size: number }
  /** Fetched from `offset` on: the bytes before it are left from an earlier attempt, or came before the connection broke. */
  | {
      readonly type: "resume";
      readonly digest: Digest;
      readonly size: number;
      readonly offset: number;
      /** How the connection broke. */
      readonly reason?: string | undefined;
    }
  /**
   * Without `registry`: the blob is fetched or sent once more from its start, as what came first was no good. With it: that
   * registry is asked again, for a blob, a manifest or a name; what came so far stays.
   */
  | {
      readonly type: "retry";
      readonly digest?: Digest | undefined;
      readonly size?: number | undefined;
      /** What was wrong; of a registry its status, or how the connection failed. */
      readonly reason: string;
      readonly registry?: string | undefined;
      /** The one that failed: the registry, its mirror, its token service, or where a redirect leads. */
      readonly host?: string | undefined;
      /** Of the registry, counted from 1. */
      readonly attempt?: number | undefined;
      /** How many there are at most. */
      readonly retries?: number | undefined;
      /** Before the registry is asked again. */
      readonly delayMs?: number | undefined;
    }
  /** A registry was asked, for a blob, a manifest or a name, and has not answered for a second. */
  | {
      readonly type: "wait";
      readonly digest?: Digest | undefined;
      readonly size?: number | undefined;
      readonly registry: string;
      /** The one that is asked: the registry, its mirror, its token service, or where a redirect leads. */
      readonly host: string;
    }
  | { readonly type: "done"; readonly digest: Digest; readonly size: number; readonly delivery: Delivery }
  /** Something failed that the transfer can do without. */
  | {
      readonly type: "warning";
      readonly message: string;
      readonly code?: string | undefined;
      readonly digest?: Digest | undefined;
    };
