import { digestBytes, MemoryFreshness, mediaTypes, silentLogger } from "@mote/core";
import { afterEach, expect, it, vi } from "vitest";
import { TagChecks } from "./tag-checks.js";

afterEach(() => {
  vi.useRealTimers();
});

it("gives the older answer to all clients two seconds after the upstream was asked, also to those who come later", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const descriptor = { digest: digestBytes(new Uint8Array()), mediaType: mediaTypes.ociManifest, size: 0 };
  const freshness = new MemoryFreshness();
  await freshness.record("up.example/a:1", { ...descriptor, checkedMs: 0 });
  const checks = new TagChecks({ freshness, freshMs: 1, offline: false, now: () => 10, logger: silentLogger });
  let requests = 0;
  const ask = () => {
    requests++;
    return new Promise<never>(() => {});
  };
  const resolve = () => checks.resolve("up.example/a:1", { ask, isStored: async () => true });
  const first = resolve();
  await vi.advanceTimersByTimeAsync(1_900);
  const second = resolve();
  await vi.advanceTimersByTimeAsync(100);
  for (const answer of [first, second]) {
    expect(await answer).toMatchObject({ descriptor, staleReason: expect.stringContaining("2 s") });
  }
  const third = resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect((await third).staleReason).toBeDefined();
  expect(requests).toBe(1);
});
