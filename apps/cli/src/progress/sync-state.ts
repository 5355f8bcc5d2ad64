import type { SyncedImage, TransferEvent } from "../wire.js";
import { RegistryWaits } from "./registry-waits.js";
import { TransferState } from "./transfer-state.js";

type Image = Pick<SyncedImage, "source" | "destination">;

/** The state of a run of many images according to its events. */
export class SyncState {
  /** Undefined while the images are being found. */
  total: number | undefined;
  done = 0;
  failed = 0;
  readonly waits = new RegistryWaits();
  /** By destination, as a source may be listed more than once. */
  readonly #active = new Map<string, { readonly source: string; readonly state: TransferState }>();
  /** Bytes that finished images transferred. */
  #moved = 0;

  take(event: TransferEvent, image: Image, nowMs: number): void {
    this.waits.take(event, nowMs);
    const key = keyOf(image);
    const active = this.#active.get(key) ?? { source: image.source, state: new TransferState() };
    this.#active.set(key, active);
    active.state.take(event, nowMs);
  }

  finish(image: Image & Pick<SyncedImage, "state">, done: number): void {
    const key = keyOf(image);
    this.#moved += this.#active.get(key)?.state.moved ?? 0;
    this.#active.delete(key);
    this.done = done;
    if (image.state === "failed") this.failed++;
  }

  /** Returns the images whose transfer has begun, in that order. */
  active(): readonly { readonly source: string; readonly state: TransferState }[] {
    return [...this.#active.values()];
  }

  /** Returns the bytes that were transferred, for the rate. */
  moved(): number {
    return this.active().reduce((sum, { state }) => sum + state.moved, this.#moved);
  }

  /** Returns the share of the run that is done. Each image counts as much as any other. */
  share(): number {
    const active = this.active().reduce((sum, { state }) => sum + shareOf(state), 0);
    return this.total ? (this.done + active) / this.total : 0;
  }
}

function keyOf({ source, destination }: Image): string {
  return destination ?? source;
}

/** Returns the share of an image that is done; 0 while its manifests are read. */
export function shareOf(state: TransferState): number {
  const { total } = state;
  if (total.blobs === 0) return 0;
  return total.bytes === 0 ? 1 : state.bytes() / total.bytes;
}
