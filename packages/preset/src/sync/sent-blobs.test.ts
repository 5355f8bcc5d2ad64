import { type ContentDestination, digestBytes, mediaTypes, type RegistryRef } from "@mote/core";
import { expect, it } from "vitest";
import { SentBlobs } from "./sent-blobs.js";
import { sharedRepository } from "./shared-repository.js";

const bytes = new Uint8Array([1]);
const blob = { digest: digestBytes(bytes), size: 1, mediaType: mediaTypes.ociLayer };
const at = (repository: string): RegistryRef => ({ transport: "docker", registry: "registry.example", repository });

/** A repository that records its calls. */
function repository(calls: string[], { mounts = true } = {}): ContentDestination {
  return {
    async has() {
      calls.push("has");
      return false;
    },
    async blob(_, chunks) {
      for await (const _chunk of chunks) calls.push("blob");
    },
    async mount(_, candidates) {
      calls.push(`mount ${candidates.map((ref) => ("repository" in ref ? ref.repository : "")).join(" ")}`);
      return mounts;
    },
    async manifest() {},
    async tag() {},
  };
}

async function* chunks() {
  yield bytes;
}

it("a blob that another image sends is waited for, and then mounted without asking for it", async () => {
  const blobs = new SentBlobs();
  const calls: string[] = [];
  await using first = sharedRepository(repository(calls), at("one"), blobs);
  await using second = sharedRepository(repository(calls), at("two"), blobs);
  expect(await first.has(blob)).toBe(false);
  const asking = second.has(blob);
  await first.blob(blob, chunks());
  expect(await asking).toBe(false);
  expect(await second.mount(blob, second.mountSources(blob))).toBe(true);
  expect(calls).toEqual(["has", "blob", "mount one"]);
  await using third = sharedRepository(repository(calls), at("two"), blobs);
  expect(await third.has(blob)).toBe(true);
  expect(calls).toHaveLength(3);
});

it("a blob that could not be mounted is looked up before it is sent", async () => {
  const blobs = new SentBlobs();
  blobs.record(blob.digest, "one");
  const calls: string[] = [];
  await using two = sharedRepository(repository(calls, { mounts: false }), at("two"), blobs, () => ["three"]);
  expect([await two.has(blob), await two.mount(blob, two.mountSources(blob))]).toEqual([false, false]);
  expect(calls).toEqual(["mount one three", "has"]);
});

it("an image that failed lets others send its blobs", async () => {
  const blobs = new SentBlobs();
  const failed = sharedRepository(repository([]), at("one"), blobs);
  await failed.has(blob);
  await using second = sharedRepository(repository([]), at("two"), blobs);
  const asking = second.has(blob);
  await failed[Symbol.asyncDispose]();
  expect([await asking, second.mountSources(blob)]).toEqual([false, []]);
});

it("a wait for another image ends when the own one is aborted", async () => {
  const blobs = new SentBlobs();
  await using first = sharedRepository(repository([]), at("one"), blobs);
  await first.has(blob);
  await using second = sharedRepository(repository([]), at("two"), blobs);
  const reason = new Error("stop");
  await expect(second.has(blob, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
