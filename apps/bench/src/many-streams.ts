import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseDigest } from "@mote/core";
import { FileCache } from "@mote/fs";
import type { Row } from "./compare.js";
import { inFreshProcess, type Measured } from "./fresh-process.js";
import { eachOf } from "./prune-million.js";

const streams = 64;
const readBytes = 1024 ** 3;
const writtenBytes = 64 * 1024 ** 2;
const block = new Uint8Array(randomBytes(1024 ** 2));

/** Measures memory and event loop stalls while many blobs are read and written in parallel. One run takes a minute or two. */
export async function* streamsSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  const root = join(folder, "cache");
  const hash = createHash("sha256");
  for (let at = 0; at < readBytes; at += block.byteLength) hash.update(block);
  const digest = parseDigest(`sha256:${hash.digest("hex")}`);
  await using cache = new FileCache(root, { durability: "visible" });
  await cache.createMote(digest, "application/octet-stream", readBytes);
  await using writer = await cache.moteWriter(digest);
  for (let at = 0; at < readBytes; at += block.byteLength) await writer.write(block);
  await writer.close();

  const sizes = [String(streams), String(streams), String(writtenBytes)];
  const runs: Measured[] = [await inFreshProcess("streams", root, digest, ...sizes)];
  const what = "64 readers of 1 GiB and 64 writers of 64 MiB at once";
  yield { title: `memory of ${what}`, unit: "MB", atMost: 64, measure: eachOf(runs, "megabytes") };
  yield { title: `99 % of stalls by ${what}`, unit: "ms", atMost: 10, measure: eachOf(runs, "p99StallMs") };
}
