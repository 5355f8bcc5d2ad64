import { randomUUID } from "node:crypto";
import { needs, needsVersitygw, type S3Server, startRadosgw, startVersitygw } from "@mote/testbed";
import type { S3CacheOptions } from "../src/index.js";

/** The servers that the tests use, with the suffix of a title that says what is missing. */
export const servers = [
  { name: "radosgw", start: startRadosgw, missing: needs("ceph", "ceph-mon", "ceph-osd", "radosgw") },
  { name: "versitygw", start: startVersitygw, missing: needsVersitygw() },
] as const;

/** Options of a cache in a bucket of the server. */
export function optionsOf(server: S3Server, bucket: string, prefix: string = randomUUID()): S3CacheOptions {
  const { endpoint, accessKeyId, secretAccessKey } = server;
  return { bucket, prefix, endpoint, region: "us-east-1", credentials: { accessKeyId, secretAccessKey }, env: {} };
}
