import type { Cancellable, Digest } from "@mote/core";
import type { TransferEvent } from "@mote/transfer";

export interface DeltaOptions extends Cancellable {
  /** As in `MoveOptions`. */
  readonly concurrency?: number | undefined;
  /** Receives the events of the pulls of both images, and of the transfer of the deltas. */
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
  /** Replace a file that is not an archive, and an image in an archive that has the same name. Default: MOTE_EXISTS. */
  readonly overwrite?: boolean | undefined;
  /** Only these platforms, as in `PullOptions`. Default: all that both images have. */
  readonly platform?: string | readonly string[] | undefined;
  /** Called while deltas are made. */
  readonly onProgress?: ((progress: DeltaProgress) => void) | undefined;
}

/** How far the making of deltas is. */
export interface DeltaProgress {
  /** Layers of the new images that are done, and all of them. */
  readonly done: number;
  readonly layers: number;
  /** The work that is done, and all of it, in compressed bytes: layers of the old images are read once, those of the new ones twice. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** How a layer of the new image is obtained where the old image is stored. */
export interface DeltaLayer {
  readonly digest: Digest;
  readonly size: number;
  /**
   * `stored`: the old image has it. `encoded`: made from the same content, which the old image has with another compression. `patched`: made
   * with a tar-diff of `diffBytes`. `fetched`: as without a delta, because of `reason`.
   */
  readonly how: "stored" | "encoded" | "patched" | "fetched";
  /** The encoder that reproduces the layer. */
  readonly encoder?: string | undefined;
  readonly diffBytes?: number | undefined;
  readonly reason?: string | undefined;
}

/** A delta of one image. */
export interface MadeDelta {
  readonly platform?: string | undefined;
  /** The manifests of the old and the new image. */
  readonly source: Digest;
  readonly subject: Digest;
  /** The manifest of the delta. */
  readonly digest: Digest;
  /** The reference of the delta at the destination, or its name in the cache. */
  readonly reference: string;
  readonly layers: readonly DeltaLayer[];
  /** Bytes of the layers that the old image does not have. */
  readonly newBytes: number;
  /** Bytes that are fetched instead: tar-diffs, the manifest of the delta, and layers that it cannot make. */
  readonly deltaBytes: number;
}

export interface DeltaReport {
  readonly old: string;
  readonly new: string;
  readonly destination?: string | undefined;
  readonly deltas: readonly MadeDelta[];
  /** Platforms of the new image that the old one does not have. */
  readonly withoutOld: readonly string[];
  /** Images that are the same in both. */
  readonly unchanged: readonly Digest[];
  readonly durationMs: number;
  readonly warnings: readonly string[];
}
