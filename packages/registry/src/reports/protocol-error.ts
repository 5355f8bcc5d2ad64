import { MoteError } from "@mote/core";
import { plainSubject, type Subject, subjectName } from "./subject.js";
/** Returns the error for a document of the wrong size. */
export function sizeError(subject: Subject, what: string, expected: number, actual: number): MoteError {
  return new MoteError(
    "MOTE_SIZE_MISMATCH",
    `${subjectName(subject)}: ${what} should have ${expected} bytes, but has ${actual}`,
    { details: { ...plainSubject(subject), expected, actual } },
  );
}

/** Returns the error for a response that violates the distribution specification. */
export function protocolError(subject: Subject, message: string, details: object = {}, cause?: unknown): MoteError {
  const about = subject.digest ?? subject.reference;
  const asked = about === undefined || message.includes(about) ? "" : ` (requesting ${about})`;
  return new MoteError("MOTE_REGISTRY", `${subjectName(subject)}: ${message}${asked}`, {
    details: { ...plainSubject(subject), ...details },
    cause,
  });
}
