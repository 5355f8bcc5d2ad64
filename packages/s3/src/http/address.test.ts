import { MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { bucketAddress } from "./address.js";

const key = "p/blobs/sha256/0a";
const urlOf = (...args: Parameters<typeof bucketAddress>) => bucketAddress(...args).url(key).href;
const region = "eu-west-1";

describe("the address of a bucket", () => {
  it("is a host on AWS, if its name is a host label, otherwise a path", () => {
    expect(urlOf("my-bucket", { region })).toBe(`https://my-bucket.s3.eu-west-1.amazonaws.com/${key}`);
    expect(urlOf("my.bucket", { region })).toBe(`https://s3.eu-west-1.amazonaws.com/my.bucket/${key}`);
    expect(urlOf("Old_Bucket", { region })).toBe(`https://s3.eu-west-1.amazonaws.com/Old_Bucket/${key}`);
    expect(urlOf("my-bucket", { region: "cn-north-1" })).toMatch("s3.cn-north-1.amazonaws.com.cn/");
  });

  it("is a path elsewhere, unless a host is requested", () => {
    expect(urlOf("b-1", { region, endpoint: "http://127.0.0.1:9000" })).toBe(`http://127.0.0.1:9000/b-1/${key}`);
    expect(urlOf("b-1", { region, endpoint: "https://s3.example.com/base/" })).toBe(
      `https://s3.example.com/base/b-1/${key}`,
    );
    expect(urlOf("b-1", { region, endpoint: "https://s3.example.com", style: "host" })).toBe(
      `https://b-1.s3.example.com/${key}`,
    );
  });

  it("encodes keys and queries as the signature does", () => {
    const address = bucketAddress("b-1", { region, endpoint: "http://127.0.0.1" });
    expect(address.url("tags/=a/=b:c!20d+!").pathname).toBe("/b-1/tags/%3Da/%3Db%3Ac%2120d%2B%21");
    expect(address.url("", { prefix: "a b/c", "list-type": "2", after: undefined }).search).toBe(
      "?prefix=a%20b%2Fc&list-type=2",
    );
  });

  it("refuses buckets, regions and endpoints that are not valid", () => {
    for (const [bucket, options] of [
      ["s3://bucket", { region }],
      ["a/b", { region }],
      ["..", { region }],
      ["a..b", { region }],
      ["", { region }],
      ["b-1", { region: "eu west" }],
      ["b-1", { region: "evil.example/" }],
      ["b-1", { region, endpoint: "s3.example.com" }],
      ["b-1", { region, endpoint: "ftp://s3.example.com" }],
      ["b-1", { region, endpoint: "https://user:secret@s3.example.com" }],
    ] as const) {
      const refuse = () => bucketAddress(bucket, options);
      expect(refuse).toThrow(MoteError);
      expect(refuse).not.toThrow(/secret/);
    }
  });
});
