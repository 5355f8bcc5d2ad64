import { expect, it } from "vitest";
import { UpstreamCounters } from "./upstream-counters.js";

const responseWith = (headers: Record<string, string>) => ({ status: 200, header: (name: string) => headers[name] });

it("responses are counted by status, and requests without one as errors", () => {
  const counters = new UpstreamCounters();
  for (const status of [200, 404, 200, undefined]) counters.onResponse({ status, header: () => undefined });
  counters.onReceived(5);
  counters.onReceived(7);
  expect(counters).toMatchObject({ requests: { 200: 2, 404: 1, error: 1 }, receivedBytes: 12, rateLimit: undefined });
});

it.each([
  ["100;w=21600", "76;w=21600", { limit: 100, remaining: 76, windowSeconds: 21_600 }],
  [" 100", "0", { limit: 100, remaining: 0, windowSeconds: undefined }],
  ["100", undefined, undefined],
  ["many", "76", undefined],
  ["-1", "76", undefined],
  ["9".repeat(400), "76", undefined],
  ["100;w=1;w=2", "76", undefined],
])("the rate limit %j with %j left is read as %j", (limit, remaining, expected) => {
  const counters = new UpstreamCounters();
  counters.onResponse(
    responseWith({ "ratelimit-limit": limit, ...(remaining && { "ratelimit-remaining": remaining }) }),
  );
  expect(counters.rateLimit).toEqual(expected);
});

it("the last known rate limit stays if a response has none", () => {
  const counters = new UpstreamCounters();
  counters.onResponse(responseWith({ "ratelimit-limit": "100", "ratelimit-remaining": "3" }));
  counters.onResponse(responseWith({}));
  expect(counters.rateLimit).toMatchObject({ remaining: 3 });
});
