import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";

const sliceBytes = 1024 * 1024;

/** Returns the SHA-256 of bytes in hex. Other work of the event loop is done between slices. */
export async function hashInTurns(bytes: Uint8Array): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.byteLength; at += sliceBytes) {
    if (at > 0) await setImmediate();
    hash.update(bytes.subarray(at, at + sliceBytes));
  }
  return hash.digest("hex");
}
