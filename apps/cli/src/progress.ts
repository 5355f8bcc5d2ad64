import type { Output } from "./output.js";
import { count, formatBytes } from "./quantity.js";
import type { TransferEvent } from "./wire.js";

export interface Progress {
  readonly onEvent: (event: TransferEvent) => void;
  /** Takes the progress away from the terminal. Harmless when repeated. */
  end(): void;
}

const redrawEveryMs = 80;
/** A log is read later, by people: a line now and then tells them that it goes on. */
const lineEveryMs = 5_000;
const barWidth = 24;
const shownBlobs = 6;

/** Draws bars on a terminal, writes a plain line every few seconds elsewhere, nothing under `--quiet` and `--json`. */
export async function showProgress(out: Output): Promise<Progress> {
  if (out.quiet || out.json) return { onEvent() {}, end() {} };
  const state = new TransferState();
  let lastMs = Date.now();
  // Imported where it is wanted: scripts and CI do not wait for it.
  const update = out.interactive ? (await import("log-update")).createLogUpdate(process.stderr) : undefined;
  const everyMs = update ? redrawEveryMs : lineEveryMs;
  return {
    onEvent(event) {
      state.take(event);
      if (Date.now() - lastMs < everyMs) return;
      lastMs = Date.now();
      if (update) update([state.line(), ...state.bars()].join("\n"));
      else out.note(state.line());
    },
    end() {
      update?.clear();
      update?.done();
    },
  };
}

/** What the events so far come to. */
class TransferState {
  #totalBytes = 0;
  #totalBlobs = 0;
  #doneBytes = 0;
  #doneBlobs = 0;
  readonly #active = new Map<string, { readonly size: number; bytes: number }>();

  take(event: TransferEvent): void {
    switch (event.type) {
      case "plan":
        this.#totalBytes = event.bytes;
        this.#totalBlobs = event.blobs;
        return;
      case "start":
        this.#active.set(event.digest, { size: event.size, bytes: 0 });
        return;
      case "progress": {
        const blob = this.#active.get(event.digest);
        if (blob) blob.bytes = event.bytes;
        return;
      }
      case "done":
        this.#active.delete(event.digest);
        this.#doneBytes += event.size;
        this.#doneBlobs++;
        return;
      default:
        return;
    }
  }

  line(): string {
    let bytes = this.#doneBytes;
    for (const blob of this.#active.values()) bytes += blob.bytes;
    return `${formatBytes(bytes)} of ${formatBytes(this.#totalBytes)}, ${this.#doneBlobs} of ${count(this.#totalBlobs, "blob")}`;
  }

  bars(): string[] {
    return [...this.#active].slice(0, shownBlobs).map(([digest, { size, bytes }]) => {
      const filled = size === 0 ? barWidth : Math.round((bytes / size) * barWidth);
      const bar = "━".repeat(filled) + "╌".repeat(Math.max(0, barWidth - filled));
      return `${digest.slice(0, 19)}  ${bar}  ${formatBytes(size)}`;
    });
  }
}
