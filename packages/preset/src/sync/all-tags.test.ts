import { expect, it } from "vitest";
import { allTags } from "./all-tags.js";

it("all pages are read", async () => {
  const all = Array.from({ length: 10_000 }, (_, at) => `v${String(at).padStart(5, "0")}`);
  let requests = 0;
  const page = async ({ after, limit }: { readonly after?: string; readonly limit: number }) => {
    requests++;
    const start = after === undefined ? 0 : all.indexOf(after) + 1;
    return { tags: all.slice(start, start + limit), hasMore: start + limit < all.length };
  };
  expect(await allTags(page, { name: "app" })).toEqual(all);
  expect(requests).toBe(10);
});

it("a registry that repeats a page is an error", async () => {
  for (const tags of [["a"], []]) {
    const reading = allTags(async () => ({ tags, hasMore: true }), { name: "app" });
    await expect(reading).rejects.toMatchObject({ code: "MOTE_REGISTRY" });
  }
});

it("a list without an end is an error after a number of pages", async () => {
  let requests = 0;
  const page = async () => ({ tags: [`v${++requests}`], hasMore: true });
  await expect(allTags(page, { name: "app" })).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
  expect(requests).toBe(10_000);
});
