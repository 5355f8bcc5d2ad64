import fs from "node:fs";
import { type Cancellable, type Digest, isDigest, MoteError, openRegularFile, parseRecord, reasonOf } from "@mote/core";
import { textLines } from "../text-lines.js";
import type { UnreadableLines } from "./types.js";

/** A blob that the reader of an archive has, and the name of an image with it. */
interface ListedBlob {
  readonly digest: Digest;
  readonly name?: string | undefined;
}

const exportFormat = "mote-blob-facts";
const exportVersion = 1;
const kinds: readonly unknown[] = ["location", "absence", "pair", "transformer"];
// In characters, as of an export of a blob-info cache.
const maxLineLength = 20 * 1024 * 1024;

/**
 * Calls `onBlob` for each digest of a file with one per line, or for each location of an export of a blob-info cache. Returns which lines of an
 * export are not valid.
 * @throws MOTE_INVALID_DIGEST with the line number · MOTE_INVALID_FACT if no line of an export is valid · MOTE_UNSUPPORTED_FORMAT · MOTE_TOO_LARGE ·
 * MOTE_IO
 */
export async function readHaveLines(
  path: string,
  { onBlob, signal }: { readonly onBlob: (blob: ListedBlob) => void } & Cancellable,
): Promise<UnreadableLines | undefined> {
  const counts = { number: 0, valid: 0, unreadable: 0, firstUnreadable: 0 };
  let isExport = false;
  try {
    const chunks = fs.createReadStream("", { fd: openRegularFile(path, fs), signal });
    for await (const text of textLines(chunks, { maxLength: maxLineLength, tooLong: (line) => tooLong(path, line) })) {
      const line = text.trim();
      counts.number++;
      if (counts.number === 1) isExport = line.startsWith("{");
      if (line === "" || line.startsWith("#")) continue;
      const blob = isExport ? parseFact(line, path) : parseDigestLine(line, path, counts.number);
      if (blob === "unreadable") {
        counts.unreadable++;
        counts.firstUnreadable ||= counts.number;
        continue;
      }
      counts.valid++;
      if (blob !== undefined) onBlob(blob);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (MoteError.isInstance(error)) throw error;
    throw new MoteError("MOTE_IO", `cannot read ${path} (--without): ${reasonOf(error)}`, {
      cause: error,
      details: { path },
    });
  }
  if (counts.unreadable === 0) return undefined;
  const lines = { path, lines: counts.unreadable, firstLine: counts.firstUnreadable };
  if (counts.valid > 0) return lines;
  const message = `no line of ${path} (--without) is a valid fact; write it again with mote bic export, or name an archive, a layout or a file of digests`;
  throw new MoteError("MOTE_INVALID_FACT", message, { details: { path, line: lines.firstLine, lines: lines.lines } });
}

function parseDigestLine(line: string, path: string, number: number): ListedBlob {
  const [digest] = line.split(/\s/, 1);
  if (isDigest(digest)) return { digest };
  const message = `line ${number} of ${path} (--without) is not a digest; write one digest per line, or name an archive, a layout or an export of mote bic`;
  throw new MoteError("MOTE_INVALID_DIGEST", message, { details: { path, line: number } });
}

/** Returns undefined for the header, and for a fact that does not say where a blob is. */
function parseFact(line: string, path: string): ListedBlob | "unreadable" | undefined {
  const { format, version, fact, digest, location } = parseRecord(line) ?? {};
  if (format === exportFormat && typeof version === "number") {
    if (version === exportVersion) return undefined;
    const message = `${path} (--without) has facts of format version ${version}: this release reads version ${exportVersion}`;
    throw new MoteError("MOTE_UNSUPPORTED_FORMAT", message, { details: { path, version } });
  }
  if (!kinds.includes(fact) || !isDigest(digest)) return "unreadable";
  if (fact !== "location") return undefined;
  return typeof location === "string" ? { digest, name: location.replace(/^docker:\/\//, "") } : "unreadable";
}

function tooLong(path: string, line: number): MoteError {
  const message = `line ${line} of ${path} (--without) has more than ${maxLineLength} characters; check that it is the file that is meant`;
  return new MoteError("MOTE_TOO_LARGE", message, { details: { path, line } });
}
