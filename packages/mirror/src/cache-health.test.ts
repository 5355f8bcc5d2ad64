import { CacheError, MoteError, silentLogger } from "@mote/core";
import { expect, it } from "vitest";
import { CacheHealth } from "./cache-health.js";

const full = CacheError.writing(new MoteError("MOTE_NO_SPACE", "the disk is full"));

it("warns once until the cache stores content again", () => {
  const warnings: string[] = [];
  let calls = 0;
  const health = new CacheHealth({ ...silentLogger, warn: (message) => warnings.push(message) }, () => calls++);
  health.failed(full);
  health.failed(full);
  expect(warnings).toEqual([expect.stringContaining("the disk is full")]);
  health.succeeded();
  health.failed(CacheError.writing(new MoteError("MOTE_UNWRITABLE", "read-only")));
  expect(warnings.length).toBe(2);
  expect(calls).toBe(2);
});

it("does not warn of errors of an upstream", () => {
  const warn = () => expect.unreachable();
  new CacheHealth({ ...silentLogger, warn }, warn).failed(new MoteError("MOTE_UNREACHABLE", "down"));
});
