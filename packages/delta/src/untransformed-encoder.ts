import { chunksUntilAborted, UNTRANSFORMED } from "@mote/core";
import type { Encoder } from "./encoder.js";
import { readGzipHeader } from "./gzip-header.js";

/** RFC 8878, 3.1.1. */
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

/** Leaves content as it is, for layers that are not compressed. */
export const untransformedEncoder: Encoder = {
  name: UNTRANSFORMED,
  probe: (start) => readGzipHeader(start) === undefined && !zstdMagic.every((byte, at) => start[at] === byte),
  encode: (content, { signal } = {}) => chunksUntilAborted(content, signal),
};
