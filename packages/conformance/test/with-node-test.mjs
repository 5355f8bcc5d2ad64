// Runs a suite under node:test, with only the matchers of `TestApi`.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { moteCacheSuite } from "@mote/conformance";
import { NilCache } from "@mote/core";

const expect = (actual) => ({
  toBe: (expected) => assert.ok(Object.is(actual, expected), `${actual} is not ${expected}`),
  toEqual: (expected) => assert.deepEqual(actual, expected),
});

moteCacheSuite({ describe, it, expect }, () => new NilCache(), { stores: false });
