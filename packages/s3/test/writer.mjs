// Started by the tests, with the built package: writes motes of all sizes until it is killed, and prints each that was acknowledged.
import { randomBytes } from "node:crypto";
import { digestBytes, writeMote } from "@mote/core";
import { S3Cache } from "@mote/s3";

const [, , options] = process.argv;
const cache = new S3Cache(JSON.parse(options));
await cache.initialize();
const sizes = [1000, 100_000, 3_000_000, 20_000_000, 36_000_000];
for (let at = process.pid; ; at++) {
  const bytes = randomBytes(sizes[at % sizes.length]);
  const digest = digestBytes(bytes);
  process.stdout.write(`begin ${digest}\n`);
  await writeMote(cache, { digest, mediaType: "application/octet-stream", size: bytes.byteLength }, bytes);
  process.stdout.write(`done ${digest}\n`);
}
