import { silentLogger } from "@mote/core";
import { expect, it } from "vitest";
import { BackgroundValue } from "./background-value.js";

it("callers share one search, and get the last value while a new one takes long", async () => {
  let searches = 0;
  const value = new BackgroundValue(async ({ signal }) => {
    searches++;
    if (searches === 1) return 1;
    await new Promise((resolve) => signal?.addEventListener("abort", resolve));
    return 2;
  }, silentLogger);
  expect(await Promise.all([value.get(), value.get(), value.get()])).toEqual([1, 1, 1]);
  expect(searches).toBe(1);
  while (searches === 1) expect(await value.get()).toBe(1);
  expect(await value.get()).toBe(1);
  expect(searches).toBe(2);
  await value.close();
});

it("a search that fails leaves the last value, and is repeated", async () => {
  let searches = 0;
  const value = new BackgroundValue(async () => {
    searches++;
    if (searches === 2) throw new Error("the disk is gone");
    return searches;
  }, silentLogger);
  while (searches < 2) expect(await value.get()).toBe(1);
  while (searches < 3) await value.get();
  expect(await value.get()).toBe(3);
  await value.close();
});
