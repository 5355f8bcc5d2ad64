import { MoteError } from "@mote/core";

/** Returns the error for a text that is not the reference, name or upstream that it should be. `position`: where it goes wrong. */
export function invalidReference(text: string, message: string, reason: string, position = 0): MoteError {
  return new MoteError("MOTE_INVALID_REFERENCE", message, { details: { text, position, reason } });
}
