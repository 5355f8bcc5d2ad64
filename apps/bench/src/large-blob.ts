import { rm } from "node:fs/promises";
import { join } from "node:path";
import { startRangeServer } from "@mote/testbed";
import type { Comparison, Row } from "./compare.js";
import { servedBlobRows } from "./large-blob-served.js";
import { MoteTool } from "./pull/mote-tool.js";

const megabyte = 1_000_000;
const blobBytes = 4 * 1024 ** 3;
const connectionBytesPerSecond = 50 * megabyte;
/** The most time, as a share of that of one stream. */
const goalTime = 1 / 3.5;
const oneStream = ["--connections-per-blob", "1"];

/** Compares complete processes: one large blob over several connections and over one, from a server that generates it. */
export async function* largeBlobSuite(folder: string): AsyncGenerator<Row, void, undefined> {
  await using limited = await startRangeServer({ size: blobBytes, bytesPerSecond: connectionBytesPerSecond });
  yield rowOf("4 GiB, 50 MB/s for each connection", limited.image, { folder, goalTime, mostPairs: 1 });
  await using unlimited = await startRangeServer({ size: blobBytes });
  yield rowOf("4 GiB, as fast as loopback", unlimited.image, { folder, goalTime: 1, mostPairs: 3 });
  const tool = new MoteTool(join(folder, "peak"));
  yield {
    title: "peak memory over several connections, 4 GiB",
    unit: "MB",
    atMost: 128,
    measure: async () => {
      const bytes = await tool.peakOf("pull", `docker://${unlimited.image}:1`);
      await rm(tool.cache, { recursive: true, force: true });
      return bytes / megabyte;
    },
  };
  yield* servedBlobRows(folder, { connectionBytesPerSecond, goalTime, oneStream });
}

interface RowOptions {
  readonly folder: string;
  readonly goalTime: number;
  readonly mostPairs: number;
}

function rowOf(title: string, image: string, { folder, goalTime, mostPairs }: RowOptions): Comparison {
  const contender = (name: string, options: readonly string[]) => {
    const tool = new MoteTool(join(folder, "cache"));
    return {
      name,
      run: () => tool.run("pull", `docker://${image}:1`, ...options),
      clear: () => rm(tool.cache, { recursive: true, force: true }),
    };
  };
  return {
    title,
    unit: "MB",
    amount: blobBytes / megabyte,
    goalTime,
    mostPairs,
    mote: contender("mote", []),
    peer: contender("one connection", oneStream),
  };
}
