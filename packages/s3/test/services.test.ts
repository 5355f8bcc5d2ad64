import { createHash } from "node:crypto";
import { needsVersitygw, type Radosgw, type S3Keys, type S3Server } from "@mote/testbed";
import { AwsClient } from "aws4fetch";
import { expect, it } from "vitest";
import { servers } from "./servers.js";
import { type Row, servicesPage } from "./services-page.js";

/** What is tried with each service, in its own bucket. Each resolves to a cell of the table. */
const trials: readonly (readonly [
  what: string,
  run: (server: S3Server | Radosgw, bucket: string) => Promise<string>,
])[] = [
  [
    "wrong bytes for `x-amz-content-sha256`",
    async (server, bucket) => {
      const headers = { "x-amz-content-sha256": createHash("sha256").update("others").digest("hex") };
      const { status, text } = await send(server, "PUT", `${bucket}/wrong`, { headers, body: bytesOf("bytes") });
      const stored = await send(server, "GET", `${bucket}/wrong`);
      return status >= 400 && stored.status === 404 ? `refused: ${status} ${codeOf(text)}` : "accepted";
    },
  ],
  [
    "a wrong part of an upload",
    async (server, bucket) => {
      const id = await startUpload(server, `${bucket}/part`);
      const headers = { "x-amz-content-sha256": createHash("sha256").update("others").digest("hex") };
      const path = `${bucket}/part?partNumber=1&uploadId=${encodeURIComponent(id)}`;
      const { status, text } = await send(server, "PUT", path, { headers, body: bytesOf("bytes") });
      return status >= 400 ? `refused: ${status} ${codeOf(text)}` : "accepted";
    },
  ],
  [
    "`If-None-Match: *`, 20 writers at once",
    async (server, bucket) => {
      const put = () =>
        send(server, "PUT", `${bucket}/once`, { headers: { "if-none-match": "*" }, body: bytesOf("x") });
      const responses = await Promise.all(Array.from({ length: 20 }, put));
      const won = responses.filter(({ status }) => status === 200).length;
      return won === 1 ? "one wins" : `${won} win`;
    },
  ],
  [
    "`If-None-Match: *` when an upload is completed",
    async (server, bucket) => {
      await send(server, "PUT", `${bucket}/upload`, { body: bytesOf("old") });
      const id = await startUpload(server, `${bucket}/upload`);
      const upload = `uploadId=${encodeURIComponent(id)}`;
      const part = await send(server, "PUT", `${bucket}/upload?partNumber=1&${upload}`, { body: bytesOf("new") });
      const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.etag}</ETag></Part></CompleteMultipartUpload>`;
      const headers = { "if-none-match": "*" };
      await send(server, "POST", `${bucket}/upload?${upload}`, { headers, body: bytesOf(body) });
      return (await send(server, "GET", `${bucket}/upload`)).text === "old" ? "refused" : "overwrites";
    },
  ],
  [
    "`If-Match` of the ETag, 20 writers at once",
    async (server, bucket) => {
      const first = await send(server, "PUT", `${bucket}/replaced`, { body: bytesOf("x") });
      const put = async (etag: string) => {
        const responses = await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            send(server, "PUT", `${bucket}/replaced`, { headers: { "if-match": etag }, body: bytesOf(`${at}`) }),
          ),
        );
        return responses.filter(({ status }) => status === 200).length;
      };
      const others = await put('"00000000000000000000000000000000"');
      if (others > 0) return "overwrites";
      if ((await put(first.etag)) === 1) return "one wins";
      const won = await put(first.etag.replaceAll('"', ""));
      return won === 1 ? "one wins, if it has no quotes" : `${won} win`;
    },
  ],
  [
    "`If-Match` of another object, when reading",
    async (server, bucket) => {
      await send(server, "PUT", `${bucket}/match`, { body: bytesOf("x") });
      const { status } = await send(server, "GET", `${bucket}/match`, { headers: { "if-match": '"other"' } });
      return status === 412 ? "refused: 412" : `ignored: ${status}`;
    },
  ],
  [
    "`If-Match` of another object, when removing",
    async (server, bucket) => {
      await send(server, "PUT", `${bucket}/removed`, { body: bytesOf("x") });
      const { status } = await send(server, "DELETE", `${bucket}/removed`, { headers: { "if-match": '"other"' } });
      const { status: after } = await send(server, "GET", `${bucket}/removed`);
      return after === 200 ? `refused: ${status}` : "removes";
    },
  ],
  [
    "`ETag` and `Date` in responses to `PUT`, `GET`, `HEAD`",
    async (server, bucket) => {
      const missing: string[] = [];
      for (const method of ["PUT", "GET", "HEAD"]) {
        const response = await server.send(method, `${bucket}/headers`, method === "PUT" ? { body: bytesOf("x") } : {});
        await response.arrayBuffer();
        for (const name of ["etag", "date"]) if (!response.headers.has(name)) missing.push(`${method} ${name}`);
      }
      return missing.length === 0 ? "both" : `not ${missing.join(", ")}`;
    },
  ],
  [
    "a range beyond the end",
    async (server, bucket) => {
      await send(server, "PUT", `${bucket}/range`, { body: bytesOf("12345") });
      const { status } = await send(server, "GET", `${bucket}/range`, { headers: { range: "bytes=5-9" } });
      return String(status);
    },
  ],
  [
    "order of a listing",
    async (server, bucket) => {
      const keys = ["o/a/b", "o/a-b", "o/a.b", "o/a0", "o/aB", "o/a=", "o/a!", "o/a~"];
      for (const key of keys) await send(server, "PUT", `${bucket}/${encodeURI(key)}`, { body: bytesOf("x") });
      const { text } = await send(server, "GET", `${bucket}?list-type=2&prefix=o%2F`);
      const listed = [...text.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key);
      return JSON.stringify(listed) === JSON.stringify(keys.sort()) ? "by key" : "another";
    },
  ],
  [
    "time of an object in a listing",
    async (server, bucket) => {
      const times = new Set<string>();
      for (let at = 0; at < 5; at++) await send(server, "PUT", `${bucket}/time/${at}`, { body: bytesOf("x") });
      const { text } = await send(server, "GET", `${bucket}?list-type=2&prefix=time%2F`);
      for (const [, fraction = ""] of text.matchAll(/<LastModified>[^<]*:\d\d(\.\d+)?Z/g)) times.add(fraction);
      return [...times].every((fraction) => /^(?:\.0+)?$/.test(fraction)) ? "to the second" : "to the millisecond";
    },
  ],
  [
    "a key that is the beginning of another, with `/`",
    async (server, bucket) => {
      await send(server, "PUT", `${bucket}/k`, { body: bytesOf("x") });
      const { status, text } = await send(server, "PUT", `${bucket}/k/l`, { body: bytesOf("x") });
      return status === 200 ? "stored" : `refused: ${status} ${codeOf(text)}`;
    },
  ],
  [
    "a part of a key with 256 bytes",
    async (server, bucket) => {
      const { status, text } = await send(server, "PUT", `${bucket}/${"x".repeat(256)}`, { body: bytesOf("x") });
      return status === 200 ? "stored" : `refused: ${status} ${codeOf(text)}`;
    },
  ],
  [
    "a user whose quota is used",
    async (server) => {
      if (!("addUser" in server)) return "no quotas";
      const user = await server.addUser({ maxBytes: 1000 });
      const bucket = await server.createBucket(user);
      return await errorResponse(server, "PUT", `${bucket}/x`, { ...user, body: new Uint8Array(10_000) });
    },
  ],
  [
    "an unknown access key",
    async (server, bucket) => await errorResponse(server, "GET", `${bucket}/x`, { accessKeyId: "UNKNOWN" }),
  ],
  [
    "a wrong secret access key",
    async (server, bucket) => await errorResponse(server, "GET", `${bucket}/x`, { secretAccessKey: "wrong" }),
  ],
  [
    "a signature for another region",
    async (server, bucket) => await errorResponse(server, "GET", `${bucket}?list-type=2`, { region: "eu-central-1" }),
  ],
  [
    "a clock that is an hour behind",
    async (server, bucket) => {
      const datetime = new Date(Date.now() - 3_600_000).toISOString().replace(/[:-]|\.\d{3}/g, "");
      return await errorResponse(server, "GET", `${bucket}?list-type=2`, { datetime });
    },
  ],
  [
    "a bucket that does not exist",
    async (server) => {
      const { status, text } = await send(server, "GET", "no-such-bucket/x");
      return `${status} ${codeOf(text)}`;
    },
  ],
];

// Both services or none: the page has a column for each.
const missing = servers.map((server) => server.missing).join("");
it.skipIf(missing !== "")(
  `docs/reference/s3-services.md says how services differ${missing}`,
  async () => {
    const rows = new Map<string, string[]>(trials.map(([what]) => [what, []]));
    for (const { start } of servers) {
      await using server = await start();
      const bucket = await server.createBucket();
      for (const [what, run] of trials) rows.get(what)?.push(await run(server, bucket));
    }
    const table: Row[] = [...rows].map(([what, cells]) => ({ what, cells }));
    expect(needsVersitygw()).toBe("");
    await expect(servicesPage(["radosgw 16.2", "versitygw 1.8"], table)).toMatchFileSnapshot(
      "../../../docs/reference/s3-services.md",
    );
  },
  180_000,
);

async function send(server: S3Server, method: string, path: string, init: Parameters<S3Server["send"]>[2] = {}) {
  const response = await server.send(method, path, init);
  return { status: response.status, etag: response.headers.get("etag") ?? "", text: await response.text() };
}

interface SignedAs extends Partial<S3Keys> {
  readonly region?: string;
  readonly datetime?: string;
  readonly body?: Uint8Array;
}

/** Sends a request that is signed otherwise, and returns a cell that says how it is refused. */
async function errorResponse(server: S3Server, method: string, path: string, as: SignedAs): Promise<string> {
  const { accessKeyId = server.accessKeyId, secretAccessKey = server.secretAccessKey, region = "us-east-1" } = as;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3", retries: 0 });
  const response = await client.fetch(`${server.endpoint}/${path}`, {
    method,
    ...(as.body && { body: Uint8Array.from(as.body) }),
    ...(as.datetime && { aws: { datetime: as.datetime } }),
  });
  const text = await response.text();
  return response.ok ? "accepted" : `${response.status} ${codeOf(text)}`;
}

async function startUpload(server: S3Server, path: string): Promise<string> {
  const { text } = await send(server, "POST", `${path}?uploads`);
  return /<UploadId>(.*?)<\/UploadId>/.exec(text)?.[1] ?? "";
}

function codeOf(text: string): string {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? "";
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
