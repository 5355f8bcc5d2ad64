import { collectChunks, MoteError } from "@mote/core";

/** Returns the code of the MoteError that the promise rejects with, another error itself, or undefined. */
export async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
}

/** Returns everything that an error could reveal, as text. */
export async function shownBy(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "";
  } catch (error) {
    const parts: string[] = [];
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      parts.push(at.message, at.stack ?? "", JSON.stringify(at), JSON.stringify("details" in at ? at.details : {}));
    }
    return parts.join("\n");
  }
}

export function read(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return collectChunks(chunks, { maxBytes: 1 << 28, what: "a test" });
}

export function sameBytes(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.compare(one, other) === 0;
}
