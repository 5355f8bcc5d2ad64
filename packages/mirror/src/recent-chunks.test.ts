import { CacheError, digestBytes } from "@mote/core";
import { expect, it } from "vitest";
import { RecentChunks } from "./recent-chunks.js";

const bytes = (...values: number[]) => Uint8Array.from(values);
const digest = digestBytes(bytes(1, 2, 3, 4, 5, 6));

it("gives each chunk to a reader that keeps up, and ends when the blob is stored", async () => {
  const recent = new RecentChunks(digest, 0, () => 10);
  recent.push(bytes(1, 2));
  expect(await recent.next(0, undefined)).toEqual(bytes(1, 2));
  const next = recent.next(2, undefined);
  recent.push(bytes(3, 4));
  expect(await next).toEqual(bytes(3, 4));
  const last = recent.next(4, undefined);
  recent.end();
  expect(await last).toBe("ended");
});

it("gives the rest of a chunk to a reader that begins in its middle", async () => {
  const recent = new RecentChunks(digest, 10, () => 10);
  recent.push(bytes(1, 2));
  recent.push(bytes(3, 4, 5));
  expect(await recent.next(13, undefined)).toEqual(bytes(4, 5));
  expect([9, 10, 15, 16].map((position) => recent.has(position))).toEqual([false, true, true, false]);
});

it("removes the first chunks beyond its limit", async () => {
  const recent = new RecentChunks(digest, 0, () => 4);
  recent.push(bytes(1, 2));
  recent.push(bytes(3, 4));
  const waiting = recent.next(4, undefined);
  recent.push(bytes(5, 6));
  recent.push(bytes(7, 8, 9, 10));
  expect(recent.has(2)).toBe(false);
  expect(await waiting).toBe("removed");
});

it("tells each reader that it left behind the hash of what it had read", () => {
  const recent = new RecentChunks(digest, 0, () => 4);
  const [slow, slower, fast] = [recent.share(), recent.share(), recent.share()];
  if (slow === undefined || slower === undefined || fast === undefined) throw new Error("not in memory");
  recent.push(bytes(1, 2));
  slow.position = 2;
  fast.position = 2;
  recent.push(bytes(3, 4));
  fast.position = 4;
  recent.push(bytes(5));
  recent.push(bytes(6, 7));
  recent.push(bytes(8, 9));
  const hashOf = (read: typeof slow) => recent.leave(read).digest();
  expect(hashOf(slower)).toBe(digestBytes(bytes()));
  expect(hashOf(slow)).toBe(digestBytes(bytes(1, 2)));
  expect(hashOf(fast)).toBe(digestBytes(bytes(1, 2, 3, 4)));
  expect(recent.share()).toBeUndefined();
});

it("tells a reader that leaves while it keeps up the hash of what it has read", () => {
  const recent = new RecentChunks(digest, 0, () => 4);
  const read = recent.share();
  if (read === undefined) throw new Error("not in memory");
  for (const chunk of [bytes(1, 2), bytes(3, 4), bytes(5, 6)]) {
    recent.push(chunk);
    read.position += chunk.byteLength;
  }
  expect(recent.leave(read).digest()).toBe(digest);
});

it("does not share what was stored before the fill began", () => {
  expect(new RecentChunks(digest, 1, () => 4).share()).toBeUndefined();
});

it("fails for all who wait, after the chunks that are there", async () => {
  const recent = new RecentChunks(digest, 0, () => 4);
  recent.push(bytes(1));
  const error = CacheError.writing(new Error("full"));
  recent.fail(error);
  expect(await recent.next(0, undefined)).toEqual(bytes(1));
  await expect(recent.next(1, undefined)).rejects.toBe(error);
});
