import type { Cancellable } from "@mote/core";
import { TarParts } from "./tar-parts.js";

/** Part of a tar: the content of a regular file or a stretch of it, or other bytes, which have no path. */
export interface Stretch {
  readonly bytes: Uint8Array;
  readonly path: string | undefined;
  /** Of its first byte in the file. */
  readonly position: number;
  /** Whether this is all of the file. */
  readonly isComplete: boolean;
}

interface Growing {
  readonly start: number;
  readonly path: string | undefined;
  readonly position: number;
}

/** Yields a tar in windows, each in the memory of `window`, which is reused when the next one is read. */
export async function* contentWindows(
  tar: AsyncIterable<Uint8Array>,
  window: Uint8Array,
  { signal }: Cancellable,
): AsyncGenerator<readonly Stretch[], void, undefined> {
  const windowBytes = window.byteLength;
  const parts = new TarParts();
  let stretches: Stretch[] = [];
  let filled = 0;
  let growing: Growing | undefined;
  let path: string | undefined;
  let position = 0;
  const end = (isComplete: boolean) => {
    if (growing === undefined) return;
    const bytes = window.subarray(growing.start, filled);
    stretches.push({
      bytes,
      path: growing.path,
      position: growing.position,
      isComplete: isComplete && growing.position === 0,
    });
    growing = undefined;
  };
  for await (const chunk of tar) {
    signal?.throwIfAborted();
    for (const part of parts.split(chunk)) {
      if (part.kind === "entry") {
        path = part.entry.isRegular ? part.entry.path : undefined;
        position = 0;
        continue;
      }
      const partPath = part.kind === "content" ? path : undefined;
      if (growing !== undefined && growing.path !== partPath) end(true);
      for (let at = 0; at < part.bytes.byteLength; ) {
        if (filled === windowBytes) {
          end(false);
          yield stretches;
          stretches = [];
          filled = 0;
        }
        growing ??= { start: filled, path: partPath, position };
        const bytes = part.bytes.subarray(at, at + windowBytes - filled);
        window.set(bytes, filled);
        filled += bytes.byteLength;
        at += bytes.byteLength;
        if (partPath !== undefined) position += bytes.byteLength;
      }
    }
  }
  end(true);
  yield stretches;
}
