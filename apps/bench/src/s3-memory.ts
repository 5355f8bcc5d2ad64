import { startBucketSink } from "./bucket-sink.js";
import type { Figure } from "./compare.js";
import { inFreshProcess } from "./fresh-process.js";
import { eachOf } from "./prune-million.js";

const streamBytes = 5 * 1024 ** 3;

/** Measures the memory of a process that writes a long stream into a bucket, whose service discards it. */
export async function s3Memory(): Promise<Figure> {
  await using sink = await startBucketSink();
  const run = await inFreshProcess("s3-write", sink.endpoint, String(streamBytes));
  if (sink.receivedBytes() < streamBytes) throw new Error(`only ${sink.receivedBytes()} bytes were sent`);
  const title = "memory of writing a stream of 5 GiB";
  return { title, unit: "MB", atMost: 64, measure: eachOf([run], "megabytes") };
}
