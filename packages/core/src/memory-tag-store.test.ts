import { describe, expect, it, vi } from "vitest";
import type { Descriptor } from "./descriptor.js";
import { digestBytes } from "./digest.js";
import { mediaTypes } from "./media-type.js";
import { MemoryTagStore } from "./memory-tag-store.js";

function descriptor(text: string): Descriptor {
  const bytes = new TextEncoder().encode(text);
  return { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
}

// The contract is tested by @mote/conformance.
describe("MemoryTagStore", () => {
  it("lists tags by name, with the time when each was set last", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000 });
    try {
      const store = new MemoryTagStore();
      await store.tag("b", descriptor("one"));
      await store.tag("a", descriptor("one"));
      vi.setSystemTime(2_000);
      await store.tag("b", descriptor("two"));
      const tags = [];
      for await (const tag of store.list()) tags.push(tag);
      expect(tags).toEqual([
        { name: "a", descriptor: descriptor("one"), setMs: 1_000 },
        { name: "b", descriptor: descriptor("two"), setMs: 2_000 },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("lists the tags of its start if others are set or removed meanwhile", async () => {
    const store = new MemoryTagStore();
    for (const name of ["a", "b"]) await store.tag(name, descriptor(name));
    const names: string[] = [];
    for await (const { name } of store.list()) {
      names.push(name);
      await store.untag("b");
      await store.tag("c", descriptor("c"));
    }
    expect(names).toEqual(["a", "b"]);
    expect(await store.resolve("b")).toBe(undefined);
  });

  it("rejects invalid names and digests, and keeps the tag", async () => {
    const store = new MemoryTagStore();
    await store.tag("a", descriptor("one"));
    const wrong = { ...descriptor("two"), digest: "sha256:x" as Descriptor["digest"] };
    await expect(store.tag("a", wrong)).rejects.toMatchObject({ code: "MOTE_INVALID_DIGEST" });
    await expect(store.tag("\n", descriptor("two"))).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
    expect(await store.resolve("a")).toEqual(descriptor("one"));
  });
});
