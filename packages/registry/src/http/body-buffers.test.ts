import { expect, it } from "vitest";
import { BodyBuffers } from "./body-buffers.js";

const mib = 1024 * 1024;

it("buffers are longer for a long body, and longest with one or two connections", () => {
  const buffers = new BodyBuffers();
  const lengthsWith = (connections: number) => {
    buffers.connections = connections;
    return [31 * mib, 32 * mib].map((bodyBytes) => buffers.take(bodyBytes).byteLength / mib);
  };
  expect(lengthsWith(2)).toEqual([0.5, 2]);
  expect(lengthsWith(3)).toEqual([0.5, 1]);
  expect(lengthsWith(6)).toEqual([0.5, 1]);
  expect(lengthsWith(7)).toEqual([0.5, 0.5]);
});

it("buffers are used again for bodies that need their length, up to 4 MiB of them", () => {
  const buffers = new BodyBuffers();
  buffers.connections = 6;
  const long = Array.from({ length: 5 }, () => buffers.take(32 * mib));
  for (const each of long) buffers.putBack(each);
  expect(long.includes(buffers.take(0))).toBe(false);
  const again = Array.from({ length: 5 }, () => buffers.take(32 * mib));
  expect(new Set(again).size).toBe(5);
  expect(again.filter((each) => long.includes(each)).length).toBe(4);
});

it("the last buffers are used again even if earlier ones had another length", () => {
  const buffers = new BodyBuffers();
  const short = Array.from({ length: 8 }, () => buffers.take(0));
  for (const each of short) buffers.putBack(each);
  const long = buffers.take(32 * mib);
  buffers.putBack(long);
  expect(buffers.take(32 * mib)).toBe(long);
});
