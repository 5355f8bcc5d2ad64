import { join } from "node:path";
import { needs, startRangeServer } from "@mote/testbed";
import type { Row } from "./compare.js";
import { download } from "./mirror-clients.js";
import { type BenchMirror, startMoteMirror } from "./mirror-servers.js";

const megabyte = 1_000_000;
const blobBytes = 2 * 1024 ** 3;

interface ServedBlobOptions {
  readonly connectionBytesPerSecond: number;
  readonly goalTime: number;
  readonly oneStream: readonly string[];
}

/** Compares `mote serve` over several connections to its upstream and over one, for one client that discards a large blob. */
export async function* servedBlobRows(
  folder: string,
  options: ServedBlobOptions,
): AsyncGenerator<Row, void, undefined> {
  const { connectionBytesPerSecond, goalTime, oneStream } = options;
  const missing = needs("curl");
  if (missing !== "") {
    console.error(`  mote serve${missing}`);
    return;
  }
  await using upstream = await startRangeServer({ size: blobBytes, bytesPerSecond: connectionBytesPerSecond });
  const [host = "", ...repository] = upstream.image.split("/");
  const path = `/v2/${repository.join("/")}/blobs/${upstream.blob.digest}`;
  const start = (...args: string[]) => startMoteMirror(join(folder, "served"), ["--upstream", host, ...args]);
  const read = ({ url }: BenchMirror) => download(`${url}${path}`, 1, blobBytes);
  const contender = (name: string, ...args: string[]) => {
    let mirror: BenchMirror | undefined;
    return {
      name,
      prepare: async () => {
        mirror = await start(...args);
      },
      run: async () => {
        if (mirror === undefined) throw new Error("the mirror was not started");
        await read(mirror);
      },
      clear: async () => await mirror?.[Symbol.asyncDispose](),
    };
  };
  yield {
    title: "2 GiB through mote serve, 50 MB/s for each connection",
    unit: "MB",
    amount: blobBytes / megabyte,
    goalTime,
    mostPairs: 1,
    mote: contender("mote"),
    peer: contender("one connection", ...oneStream),
  };
  yield {
    title: "peak memory of mote serve, 2 GiB",
    unit: "MB",
    atMost: 150,
    measure: async () => {
      await using mirror = await start();
      await read(mirror);
      return mirror.peakBytes() / megabyte;
    },
  };
}
