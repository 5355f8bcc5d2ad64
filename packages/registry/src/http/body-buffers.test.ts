import { expect, it } from "vitest";
import { BodyBuffers } from "./body-buffers.js";

const mib = 1024 * 1024;

it("buffers are longer for a long body, unless there are many connections", () => {
  const buffers = new BodyBuffers();
  buffers.connections = 6;
  expect(buffers.take(31 * mib).byteLength).toBe(mib / 2);
  expect(buffers.take(32 * mib).byteLength).toBe(mib);
  buffers.connections = 7;
  expect(buffers.take(32 * mib).byteLength).toBe(mib / 2);
});

it("buffers are used again for bodies that need their length, up to 4 MiB of them", () => {
  const buffers = new BodyBuffers();
  const long = Array.from({ length: 5 }, () => buffers.take(32 * mib));
  for (const each of long) buffers.putBack(each);
  expect(long.includes(buffers.take(0))).toBe(false);
  const again = Array.from({ length: 5 }, () => buffers.take(32 * mib));
  expect(new Set(again).size).toBe(5);
  expect(again.filter((each) => long.includes(each)).length).toBe(4);
});
