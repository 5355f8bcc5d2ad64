import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { chunksUntilAborted } from "@mote/core";
import type { Encoder } from "./encoder.js";
import { readGzipHeader } from "./gzip-header.js";

const chunkSize = 256 * 1024;
/** zlib's levels, the likeliest first. */
const levels = [6, 9, 1, 5, 4, 8, 7, 3, 2];

/** The zlib of Node. It runs in the threads that Node has for it. */
export const zlibEncoders: readonly Encoder[] = levels.map((level) => ({
  name: `gzip:zlib-${level}`,
  probe: (start) => readGzipHeader(start) !== undefined,
  encode(content, { signal } = {}) {
    const gzip = createGzip({ level, chunkSize });
    // Errors of the content, an abort among them, end the iteration.
    pipeline(Readable.from(chunksUntilAborted(content, signal)), gzip, () => {});
    return gzip;
  },
}));
