/**
 * One of several concurrent processes: `node contract-process.mjs FOLDER SEED`. Runs the contract suite with its own caches,
 * and then uses one cache together with the other processes. Prints one JSON line.
 */
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { moteCacheSuite, useSharedCache } from "@mote/conformance";
import { FileCache } from "../dist/index.js";

const [, , folder, seed] = process.argv;
const tests = [];
const expect = (actual) => ({
  toBe: (expected) => assert.ok(Object.is(actual, expected), `${actual} is not ${expected}`),
  toEqual: (expected) => assert.deepEqual(actual, expected),
});
const folders = new WeakMap();
const make = (root) => {
  const cache = new FileCache(root, { durability: "visible" });
  folders.set(cache, root);
  return cache;
};
moteCacheSuite(
  { describe: (_, body) => body(), it: (name, body) => tests.push({ name, body }), expect },
  () => make(mkdtempSync(join(folder, `own-${seed}-`))),
  { reopen: (cache) => make(folders.get(cache)) },
);
for (const { name, body } of tests) {
  try {
    await body();
  } catch (error) {
    throw new Error(`process ${seed}: ${name}`, { cause: error });
  }
}

const cache = new FileCache(join(folder, "shared"), { durability: "visible" });
await cache.initialize();
const steps = await useSharedCache(cache, { seed: Number(seed), steps: Number(process.env.SHARED_STEPS ?? 100) });
await cache[Symbol.asyncDispose]();
console.log(JSON.stringify({ tests: tests.length, steps }));
