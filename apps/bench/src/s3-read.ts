import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestBytes, writeMote } from "@mote/core";
import { S3Cache } from "@mote/s3";
import { needs, needsVersitygw, type S3Server, startRadosgw, startVersitygw } from "@mote/testbed";
import { AwsClient } from "aws4fetch";
import type { Comparison, Row } from "./compare.js";
import { s3Memory } from "./s3-memory.js";

const sizeMb = 125;

/** Compares reading a blob from a bucket with the shortest loop that fetches, hashes and stores it. */
export async function* s3Suite(folder: string): AsyncGenerator<Row, void, undefined> {
  for (const { missing, start } of [
    { missing: needsVersitygw(), start: startVersitygw },
    { missing: needs("ceph", "ceph-mon", "ceph-osd", "radosgw"), start: startRadosgw },
  ]) {
    if (missing !== "") continue;
    await using server = await start();
    yield* compareWith(server, folder);
  }
  yield await s3Memory();
}

async function* compareWith(server: S3Server, folder: string): AsyncGenerator<Comparison, void, undefined> {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const bucket = await server.createBucket();
  await using cache = new S3Cache({
    bucket,
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey },
    env: {},
  });
  const bytes = randomBytes(sizeMb * 1e6);
  const digest = digestBytes(bytes);
  const mote = { digest, mediaType: "application/octet-stream", size: bytes.byteLength };
  await writeMote(cache, mote, bytes);
  const client = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "us-east-1" });
  const path = join(folder, "blob");
  yield {
    title: `read ${sizeMb} MB from ${server.name}, verified, into a file`,
    unit: "MB",
    amount: sizeMb,
    goal: 0.9,
    mote: {
      name: "mote",
      async run() {
        await using reader = await cache.moteReader(digest, { reuse: true });
        await writeFile(path, reader);
      },
    },
    peer: {
      name: "aws4fetch, sha256, file",
      async run() {
        const response = await client.fetch(cache.moteRef(digest));
        if (response.body === null) throw new Error(`status ${response.status}`);
        await writeFile(path, hashed(response.body, digest));
      },
    },
  };
  yield {
    title: `write ${sizeMb} MB to ${server.name} from a stream`,
    unit: "MB",
    amount: sizeMb,
    mote: {
      name: "mote",
      prepare: () => cache.removeMote(digest),
      run: async () => void (await writeMote(cache, mote, bytes)),
    },
    peer: {
      name: "aws4fetch, one PUT, sha256",
      prepare: () => cache.removeMote(digest),
      async run() {
        const headers = { "x-amz-content-sha256": createHash("sha256").update(bytes).digest("hex") };
        const response = await client.fetch(cache.moteRef(digest), { method: "PUT", body: bytes, headers });
        if (!response.ok) throw new Error(`status ${response.status}`);
      },
    },
  };
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, digest: Digest): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest("hex")}` !== digest) throw new Error("the bytes do not match the digest");
}

async function writeFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await using file = await open(path, "w");
  for await (const chunk of chunks) await file.write(chunk);
}
