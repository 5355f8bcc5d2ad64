import type { Descriptor } from "./descriptor.js";
import { MoteError } from "./error.js";
import type { MoteReader } from "./mote.js";
import { chunksUntilAborted, untilAborted } from "./until-aborted.js";

/** Yields the chunks of one source. After an abort, the source is closed without waiting for it. */
export async function* sourceChunks(
  opening: Promise<MoteReader>,
  { signal, onReceived }: { readonly signal: AbortSignal; readonly onReceived: (bytes: number) => void },
): AsyncGenerator<Uint8Array, void, undefined> {
  const close = () => opening.then((reader) => reader.close());
  try {
    for await (const chunk of chunksUntilAborted(await untilAborted(opening, signal), signal)) {
      onReceived(chunk.byteLength);
      yield chunk;
    }
  } finally {
    if (signal.aborted) close().catch(() => {});
    else await close().catch(() => {});
  }
}

/** Returns the error of a source that ended a blob too early. */
export function endedEarly({ digest, size }: Descriptor, position: number): MoteError {
  return new MoteError("MOTE_SIZE_MISMATCH", `the source sent only ${position} of ${size} bytes of ${digest}`, {
    details: { digest, expected: size, actual: position },
  });
}
