import * as z from "zod/mini";
import type { BlobFact } from "./blob-fact.js";
import { type Digest, isDigest } from "./digest.js";
import { MoteError } from "./error.js";

const formatName = "mote-blob-facts";
const formatVersion = 1;
/** Characters: three texts of the longest that is recorded, all of it written as escapes. */
const maxLineLength = 20 * 1024 * 1024;

/** Made when it is first wanted: few ever read such lines, and everybody loads this. */
function schemas() {
  const digest = z.custom<Digest>(isDigest, "not a digest of a supported algorithm");
  const time = { sequence: z.int().check(z.nonnegative()), lastSeenMs: z.int().check(z.nonnegative()) };
  const place = { transport: z.string(), scope: z.string(), digest, location: z.string() };
  return {
    header: z.object({ format: z.literal(formatName), version: z.number() }),
    line: z.union([
      z.object({
        fact: z.literal("pair"),
        digest,
        untransformed: digest,
        implied: z.optional(z.literal(true)),
        ...time,
      }),
      z.object({ fact: z.literal("transformer"), digest, name: z.string().check(z.minLength(1)), ...time }),
      z.object({ fact: z.enum(["location", "absence"]), ...place, ...time }),
    ]),
  };
}
let made: ReturnType<typeof schemas> | undefined;

/** The first line of an export. */
export const factHeader = `${JSON.stringify({ format: formatName, version: formatVersion })}\n`;

/** One fact as one line. */
export function formatFact(fact: BlobFact): string {
  return `${JSON.stringify(fact)}\n`;
}

/**
 * Reads exported facts, from text in pieces of any length; several exports may follow each other.
 * @throws MOTE_INVALID_FACT with the line · MOTE_UNSUPPORTED_FORMAT · MOTE_TOO_LARGE a line above 20 Mi characters
 */
export async function* parseFacts(text: AsyncIterable<string> | Iterable<string>): AsyncGenerator<BlobFact> {
  let number = 0;
  for await (const line of splitLines(text)) {
    number++;
    const fact = parseLine(line, number);
    if (fact !== undefined) yield fact;
  }
}

function parseLine(line: string, number: number): BlobFact | undefined {
  if (line.trim() === "") return undefined;
  const json = parseJson(line, number);
  made ??= schemas();
  const header = z.safeParse(made.header, json);
  if (header.success) {
    checkVersion(header.data.version, number);
    return undefined;
  }
  if (number === 1) throw invalid(number, `it begins with no header {"format":"${formatName}",…}`);
  const result = z.safeParse(made.line, json);
  if (!result.success) throw invalid(number, "it has not the fields of a fact");
  return result.data;
}

function parseJson(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw invalid(number, "it is no JSON", cause);
  }
}

function checkVersion(version: number, line: number): void {
  if (version === formatVersion) return;
  throw new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `the facts are of format version ${version}; this release reads version ${formatVersion}`,
    { details: { line, version } },
  );
}

async function* splitLines(text: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of text) {
    const [first = "", ...lines] = piece.split("\n");
    rest += first;
    checkLength(rest);
    for (const line of lines) {
      yield rest;
      rest = line;
      checkLength(rest);
    }
  }
  yield rest;
}

function checkLength(line: string): void {
  if (line.length <= maxLineLength) return;
  throw new MoteError("MOTE_TOO_LARGE", `a line of facts has more than ${maxLineLength} characters`, {
    details: { maxLineLength },
  });
}

function invalid(line: number, why: string, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_FACT", `line ${line} cannot be read as a fact: ${why}; export the facts again`, {
    details: { line },
    cause,
  });
}
