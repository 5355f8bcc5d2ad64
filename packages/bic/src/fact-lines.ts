import { isDigest, MoteError, splitLines } from "@mote/core";
import type { BlobFact } from "./blob-fact.js";

const formatName = "mote-blob-facts";
const formatVersion = 1;
// In characters: three texts of the greatest recorded length, with every character escaped.
const maxLineLength = 20 * 1024 * 1024;

/** The first line of an export. */
export const factHeader = `${JSON.stringify({ format: formatName, version: formatVersion })}\n`;

/** Formats a fact as one line of JSON. */
export function formatFact(fact: BlobFact): string {
  return `${JSON.stringify(fact)}\n`;
}

/**
 * Parses exported facts from text in chunks of any length. Several exports may be concatenated.
 * @throws MOTE_INVALID_FACT with the line number · MOTE_UNSUPPORTED_FORMAT · MOTE_TOO_LARGE for a line of more than 20 Mi characters
 */
export async function* parseFacts(text: AsyncIterable<string> | Iterable<string>): AsyncGenerator<BlobFact> {
  let number = 0;
  for await (const line of splitLines(text, { maxLength: maxLineLength, tooLong })) {
    number++;
    const fact = parseLine(line, number);
    if (fact !== undefined) yield fact;
  }
}

function parseLine(line: string, number: number): BlobFact | undefined {
  if (line.trim() === "") return undefined;
  const json = parseJson(line, number);
  const fields: Readonly<Record<string, unknown>> = typeof json === "object" && json !== null ? { ...json } : {};
  if (fields.format === formatName && typeof fields.version === "number") {
    checkVersion(fields.version, number);
    return undefined;
  }
  if (number === 1) throw invalid(number, `the header {"format":"${formatName}",…} is missing`);
  const fact = readFact(fields);
  if (fact === undefined) throw invalid(number, "a field is missing or not valid");
  return fact;
}

/** Returns undefined if a field is missing or not valid. Unknown fields are dropped. */
function readFact(fields: Readonly<Record<string, unknown>>): BlobFact | undefined {
  const { fact, digest, sequence, lastSeenMs } = fields;
  if (!isDigest(digest) || !isCount(sequence) || !isCount(lastSeenMs)) return undefined;
  const time = { sequence, lastSeenMs };
  if (fact === "pair") {
    const { untransformed, implied } = fields;
    if (!isDigest(untransformed) || !(implied === undefined || implied === true)) return undefined;
    return { fact, digest, untransformed, ...(implied && { implied }), ...time };
  }
  if (fact === "transformer") {
    const { name } = fields;
    return typeof name === "string" && name !== "" ? { fact, digest, name, ...time } : undefined;
  }
  if (fact !== "location" && fact !== "absence") return undefined;
  const { transport, scope, location } = fields;
  if (typeof transport !== "string" || typeof scope !== "string" || typeof location !== "string") return undefined;
  return { fact, transport, scope, digest, location, ...time };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parseJson(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw invalid(number, "it is not JSON", cause);
  }
}

function checkVersion(version: number, line: number): void {
  if (version === formatVersion) return;
  throw new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `cannot read facts of format version ${version}: this release reads version ${formatVersion}`,
    { details: { line, version } },
  );
}

function tooLong(): MoteError {
  return new MoteError(
    "MOTE_TOO_LARGE",
    `a line of the exported facts has more than ${maxLineLength} characters; export them again`,
    { details: { maxLineLength } },
  );
}

function invalid(line: number, why: string, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_FACT", `line ${line} is not a valid fact: ${why}; export the facts again`, {
    details: { line },
    cause,
  });
}
