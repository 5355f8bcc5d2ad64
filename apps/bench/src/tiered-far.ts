import { createHash, randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestBytes, writeMote } from "@mote/core";
import { FileCache } from "@mote/fs";
import { S3Cache } from "@mote/s3";
import { needs, needsVersitygw, type S3Server, startDelayingProxy, startRadosgw, startVersitygw } from "@mote/testbed";
import { TieredCache } from "@mote/tiered";
import { AwsClient } from "aws4fetch";
import type { Row } from "./compare.js";

const sizeMb = 125;
const lookUps = 200;
/** A near region, where the work for the requests takes longer than they do, and one so far that it takes no notable part. */
const delaysMs = [20, 500];

/** A tiered cache whose near cache is empty, over a bucket. */
export async function* farRows(folder: string): AsyncGenerator<Row, void, undefined> {
  const hasVersitygw = needsVersitygw() === "";
  const missing = hasVersitygw ? "" : needs("ceph", "ceph-mon", "ceph-osd", "radosgw");
  if (missing !== "") {
    console.error(`  tiered, over a bucket${missing}`);
    return;
  }
  await using server = await (hasVersitygw ? startVersitygw() : startRadosgw());
  const bucket = await server.createBucket();
  yield* secondMachine(server, bucket, folder);
  for (const delayMs of delaysMs) yield* existence(server, bucket, folder, delayMs);
}

async function* secondMachine(server: S3Server, bucket: string, folder: string): AsyncGenerator<Row, void, undefined> {
  await using far = openBucket(server, bucket);
  const bytes = randomBytes(sizeMb * 1e6);
  const digest = digestBytes(bytes);
  await writeMote(far, { digest, mediaType: "application/octet-stream", size: bytes.byteLength }, bytes);
  const { accessKeyId, secretAccessKey } = server;
  const client = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "us-east-1" });
  const [second, path] = [join(folder, "second"), join(folder, "plain")];
  yield {
    title: `a second machine gets ${sizeMb} MB from ${server.name} into its cache`,
    unit: "MB",
    amount: sizeMb,
    goal: 0.9,
    mote: {
      name: "TieredCache",
      prepare: () => rm(second, { recursive: true, force: true }),
      async run() {
        const near = new FileCache(second, { durability: "visible" });
        await using tiered = new TieredCache(near, far, { write: "none", keepOpen: true });
        await tiered.initialize();
        if (!(await tiered.fill(digest))) throw new Error("it was there already");
        await near[Symbol.asyncDispose]();
      },
    },
    peer: {
      name: "aws4fetch, sha256, file",
      prepare: () => rm(path, { force: true }),
      run: async () => downloadPlainly(await client.fetch(far.moteRef(digest)), path, digest),
    },
  };
}

async function* existence(
  server: S3Server,
  bucket: string,
  folder: string,
  delayMs: number,
): AsyncGenerator<Row, void, undefined> {
  await using proxy = await startDelayingProxy(new URL(server.endpoint).host, { delayMs });
  let round = 0;
  yield {
    title: `existence of ${lookUps} blobs in a cold tier, each request ${delayMs} ms later, in the time of one`,
    unit: "round trips",
    atMost: 3,
    async measure() {
      await using far = openBucket({ ...server, endpoint: `http://${proxy.host}` }, bucket);
      const near = new FileCache(join(folder, "existence"), { durability: "visible" });
      await using tiered = new TieredCache(near, far, { write: "none" });
      await tiered.initialize();
      const digests = Array.from({ length: lookUps + 2 }, (_, at) =>
        digestBytes(Buffer.from(`${delayMs} ${round} ${at}`)),
      );
      round++;
      // The first one connects, and checks the format of the bucket.
      const [first, one, ...others] = digests;
      if (first === undefined || one === undefined) throw new Error("there are no digests");
      await tiered.moteExists(first);
      const beginMs = performance.now();
      await tiered.moteExists(one);
      const oneMs = performance.now() - beginMs;
      await tiered.existing(others);
      return (performance.now() - beginMs - oneMs) / oneMs;
    },
  };
}

function openBucket({ endpoint, accessKeyId, secretAccessKey }: S3Server, bucket: string): S3Cache {
  return new S3Cache({
    bucket,
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey },
    env: {},
  });
}

async function downloadPlainly(response: Response, path: string, digest: Digest): Promise<void> {
  if (response.body === null) throw new Error(`status ${response.status}`);
  const hash = createHash("sha256");
  await using file = await open(path, "w");
  for await (const chunk of response.body) {
    hash.update(chunk);
    await file.write(chunk);
  }
  if (`sha256:${hash.digest("hex")}` !== digest) throw new Error("the bytes do not match the digest");
}
