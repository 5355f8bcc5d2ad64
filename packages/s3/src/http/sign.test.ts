import { AwsV4Signer } from "aws4fetch";
import { expect, it } from "vitest";
import { Signer } from "./sign.js";

it("signs as aws4fetch does with Web Crypto, on another day and for other credentials too", async () => {
  const region = "eu-central-1";
  const signer = new Signer(region);
  const headers = { "x-amz-content-sha256": "e".repeat(64), range: "bytes=0-1", "x-amz-meta-a": "b  c" };
  const url = new URL("http://127.0.0.1:9000/bucket/blobs/a%20b?list-type=2&prefix=x%2Fy");
  for (const nowMs of [1_700_000_000_000, 1_700_000_001_000, 1_700_100_000_000]) {
    for (const credentials of [
      { accessKeyId: "one", secretAccessKey: "secret" },
      { accessKeyId: "two", secretAccessKey: "other", sessionToken: "token" },
    ]) {
      const datetime = new Date(nowMs).toISOString().replace(/[:-]|\.\d{3}/g, "");
      const expected = new AwsV4Signer({
        ...{ method: "GET", url: url.href, headers, service: "s3", region, datetime },
        ...credentials,
      });
      const signed = await signer.sign({ method: "GET", url, headers, nowMs }, credentials);
      expect(signed).toEqual(Object.fromEntries((await expected.sign()).headers));
      expect(signed.authorization).toMatch(/Signature=[0-9a-f]{64}$/);
    }
  }
});
