import type { TransferEvent } from "../wire.js";
import { RegistryWaits } from "./registry-waits.js";

export interface ActiveBlob {
  readonly digest: string;
  readonly size: number;
  readonly bytes: number;
  /** The offset in bytes where an earlier attempt ended. */
  readonly resumedAt: number;
  /** Whether it is read from the cache. */
  readonly isHit: boolean;
}

/** The state of a transfer according to its events. */
export class TransferState {
  total = { bytes: 0, blobs: 0 };
  done = { bytes: 0, blobs: 0 };
  hits = 0;
  /** Blobs that were made from other content. */
  rebuilt = 0;
  /** Blobs that came from the tier behind the cache. */
  fills = 0;
  mounts = 0;
  resumed = 0;
  /** Bytes that were actually transferred, for the rate. */
  moved = 0;
  readonly waits = new RegistryWaits();
  readonly #active = new Map<string, ActiveBlob>();

  take(event: TransferEvent, nowMs = Date.now()): void {
    this.waits.take(event, nowMs);
    switch (event.type) {
      case "plan":
        this.total = { bytes: event.bytes, blobs: event.blobs };
        return;
      case "start":
        this.#active.set(event.digest, { ...event, bytes: 0, resumedAt: 0, isHit: false });
        return;
      case "hit":
        this.#change(event.digest, { isHit: true });
        this.hits++;
        return;
      case "rebuild":
        // It may be sent now.
        this.#change(event.digest, { isHit: true, bytes: 0 });
        this.rebuilt++;
        return;
      case "fill":
        this.fills++;
        return;
      case "resume":
        if (this.#active.get(event.digest)?.resumedAt === 0) this.resumed++;
        this.#change(event.digest, { bytes: event.offset, resumedAt: event.offset });
        return;
      case "retry":
        if (event.digest === undefined || event.registry !== undefined) return;
        this.#change(event.digest, { bytes: 0, resumedAt: 0, isHit: false });
        return;
      case "mount":
        this.mounts++;
        return;
      case "progress":
        this.moved += Math.max(0, event.bytes - (this.#active.get(event.digest)?.bytes ?? 0));
        this.#change(event.digest, { bytes: event.bytes });
        return;
      case "done":
        this.#finish(event);
        return;
      default:
        return;
    }
  }

  /** Returns the active blobs in the order of their start. */
  active(): ActiveBlob[] {
    return [...this.#active.values()];
  }

  /** Returns the bytes of finished and active blobs. */
  bytes(): number {
    return this.active().reduce((sum, { bytes }) => sum + bytes, this.done.bytes);
  }

  #change(digest: string, change: Partial<ActiveBlob>): void {
    const blob = this.#active.get(digest);
    if (blob) this.#active.set(digest, { ...blob, ...change });
  }

  #finish({ digest, size, delivery }: Extract<TransferEvent, { type: "done" }>): void {
    const blob = this.#active.get(digest);
    this.#active.delete(digest);
    if (delivery === "copied" || (delivery !== "mounted" && delivery !== "skipped" && !blob?.isHit)) {
      this.moved += size - (blob?.bytes ?? 0);
    }
    this.done = { bytes: this.done.bytes + size, blobs: this.done.blobs + 1 };
  }
}
