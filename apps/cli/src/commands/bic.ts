import fs from "node:fs";
import { resolve } from "node:path";
import { errorCode, MoteError, openRegularFile, reasonOf } from "@mote/core";
import type { Context } from "../context.js";
import { count, formatBytes } from "../output/quantity.js";
import { isStdout, openCache, openReadOnly, writeOutputFile } from "../wire.js";

/** Writes all records of the blob-info cache as lines, to a file or to stdout. */
export async function exportFacts(context: Context, file: string | undefined): Promise<void> {
  const { out, signal } = context;
  await using mote = await openReadOnly(context);
  if (mote.bic.export === undefined) throw new TypeError("this blob-info cache does not support export");
  let facts = -1; // The first line is the header.
  const lines = (async function* (text: AsyncIterable<string>) {
    const encoder = new TextEncoder();
    for await (const line of text) {
      facts++;
      yield encoder.encode(line);
    }
  })(mote.bic.export({ signal }));
  if (file === undefined || file === "-") {
    for await (const line of lines) await out.write(line);
    return;
  }
  const path = resolve(file);
  if (await isStdout(path)) out.leaveStdout();
  await writeOutputFile(context, path, lines);
  out.result({ file: path, facts }, [`exported ${count(facts, "record")} to ${path}`]);
}

/** Imports what other caches have exported. */
export async function mergeFacts(context: Context, files: readonly string[]): Promise<void> {
  const { out, signal } = context;
  await using mote = await openCache(context);
  if (mote.bic.merge === undefined) throw new TypeError("this blob-info cache does not support import");
  const results: { file: string; facts: number; changed: number }[] = [];
  for (const file of files) {
    try {
      results.push({ file, ...(await mote.bic.merge(textOf(file, signal), { signal })) });
    } catch (error) {
      if (MoteError.isInstance(error)) throw new MoteError(error.code, `${file}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  out.result(
    results,
    results.map(({ file, facts, changed }) => `${file}: ${count(facts, "record")}, ${changed} new`),
  );
}

async function* textOf(file: string, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    const chunks = file === "-" ? process.stdin : fs.createReadStream("", { fd: openRegularFile(file, fs), signal });
    for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
  } catch (cause) {
    signal.throwIfAborted();
    if (errorCode(cause) === "ENOENT") throw new MoteError("MOTE_NOT_FOUND", "file does not exist", { cause });
    throw new MoteError("MOTE_IO", `cannot read the file: ${reasonOf(cause)}`, { cause });
  }
}

export async function showStatistics(context: Context): Promise<void> {
  const { out, signal } = context;
  await using mote = await openReadOnly(context);
  if (mote.bic.statistics === undefined) throw new TypeError("this blob-info cache does not support statistics");
  const { locations, negativeRecords, pairs, transformers, sizeBytes, mode } = await mote.bic.statistics({ signal });
  out.result({ locations, absences: negativeRecords, pairs, transformers, sizeBytes, mode }, [
    `locations     ${locations}: repositories where a blob has been seen`,
    `negative      ${negativeRecords}: repositories that no longer have a blob`,
    `pairs         ${pairs}: blobs whose uncompressed digest is known`,
    `transformers  ${transformers}: blobs whose compression is known`,
    `on disk       ${formatBytes(sizeBytes)}${modes[mode]}`,
  ]);
}

const modes = {
  persistent: "",
  memory: ", in memory only: the file does not exist yet or cannot be used",
  "read-only": ", read-only: new records are not stored",
} as const;
