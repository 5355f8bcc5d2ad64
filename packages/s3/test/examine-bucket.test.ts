import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { examineBucket } from "../src/index.js";
import { FakeS3, type FakeS3Options } from "./fake-s3.js";

let fake: FakeS3;
beforeEach(async () => {
  fake = await FakeS3.start();
});
afterEach(() => fake[Symbol.asyncDispose]());

const examine = (options: FakeS3Options = {}) => {
  fake.options = options;
  const credentials = { accessKeyId: "key", secretAccessKey: "secret" };
  const { endpoint } = fake;
  return examineBucket({
    bucket: "bucket",
    endpoint,
    region: "us-east-1",
    env: {},
    credentials,
    retries: { retries: 0 },
  });
};

describe("examineBucket", () => {
  it("finds a service that rejects wrong bytes and overwriting, and leaves nothing", async () => {
    const { aheadMs, writes } = await examine();
    expect(writes).toEqual({ rejectsWrongBytes: true, rejectsOverwriting: true });
    expect(Math.abs(aheadMs)).toBeLessThan(60_000);
    expect(fake.store.objects.size).toBe(0);
  });

  it.each(["ignored", "rejected"] as const)("finds that If-None-Match is %s", async (conditions) => {
    expect((await examine({ conditions })).writes).toEqual({ rejectsWrongBytes: true, rejectsOverwriting: false });
    expect(fake.store.objects.size).toBe(0);
  });

  it("finds a service that accepts wrong bytes", async () => {
    fake.effect = ({ method, key }) =>
      method === "PUT" && key.endsWith(".wrong") ? { status: 200, headers: { etag: '"1"' } } : undefined;
    expect((await examine()).writes).toEqual({ rejectsWrongBytes: false, rejectsOverwriting: true });
  });

  it("finds that a bucket may not be written to", async () => {
    expect((await examine({ readOnly: true })).writes).toMatchObject({ error: { code: "MOTE_UNWRITABLE" } });
  });

  it("finds that the clocks differ", async () => {
    const { aheadMs } = await examine({ aheadMs: 300_000 });
    expect(Math.round(aheadMs / 60_000)).toBe(-5);
  });

  it("throws why a bucket cannot be read", async () => {
    await expect(examine({ region: "eu-central-1" })).rejects.toMatchObject({ code: "MOTE_CONFIG" });
    await expect(examine({ aheadMs: 3_600_000 })).rejects.toMatchObject({ code: "MOTE_UNAUTHORIZED" });
  });
});
