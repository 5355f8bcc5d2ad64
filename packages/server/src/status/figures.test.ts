import { digestBytes, type UpstreamStatus } from "@mote/core";
import { describe, expect, it } from "vitest";
import { addFigures, type Figures, fetchedBytes, firstByteBounds } from "./figures.js";

const zero: Figures = {
  startedMs: 0,
  hits: 0,
  misses: 0,
  servedBytes: 0,
  receivedBytes: 0,
  pushes: {},
  requests: {},
  requestsInFlight: 0,
  firstByte: { counts: firstByteBounds.map(() => 0).concat(0), sumSeconds: 0 },
  upstreams: [],
  fills: [],
  fleet: null,
  history: { firstMinute: 10, hits: [0], misses: [0], servedBytes: [0], fetchedBytes: [0] },
  process: { rssBytes: 0, cpuSeconds: 0 },
};
const upstream = (more: Partial<UpstreamStatus>): UpstreamStatus => ({ name: "a.example", state: "closed", ...more });
const digest = digestBytes(new Uint8Array());

describe("the figures of two processes", () => {
  it("add up", () => {
    const one = { ...zero, startedMs: 5, hits: 1, misses: 2, servedBytes: 3, requests: { "GET 200": 4, "PUT 201": 1 } };
    const other = { ...zero, startedMs: 9, hits: 10, misses: 20, servedBytes: 30, requests: { "GET 200": 40 } };
    expect(addFigures([one, other])).toMatchObject({
      ...{ startedMs: 5, hits: 11, misses: 22, servedBytes: 33 },
      requests: { "GET 200": 44, "PUT 201": 1 },
    });
  });

  it("add up for each upstream, with the worst state and the latest error and rate limit", () => {
    const lastError = (atMs: number) => ({ atMs, message: String(atMs) });
    const rateLimit = (remaining: number) => ({ limit: 100, remaining });
    const one = upstream({
      ...{ lastSuccessMs: 10, lastError: lastError(3) },
      traffic: { requests: { 200: 1, 404: 1 }, receivedBytes: 7, rateLimit: rateLimit(50) },
    });
    const other = upstream({
      ...{ state: "open", lastSuccessMs: 20, lastError: lastError(2) },
      traffic: { requests: { 200: 2 }, receivedBytes: 3, rateLimit: rateLimit(40) },
    });
    const { upstreams } = addFigures([
      { ...zero, upstreams: [one] },
      { ...zero, upstreams: [other] },
    ]);
    expect(upstreams).toEqual([
      {
        ...{ name: "a.example", state: "open", lastSuccessMs: 20, lastError: lastError(3) },
        traffic: { requests: { 200: 3, 404: 1 }, receivedBytes: 10, rateLimit: rateLimit(40) },
      },
    ]);
    expect(fetchedBytes(upstreams)).toBe(10);
  });

  it("have each fetch once, with the most bytes", () => {
    const fill = (bytes: number) => ({ digest, size: 10, repository: "a.example/b", bytes });
    const { fills } = addFigures([
      { ...zero, fills: [fill(0)] },
      { ...zero, fills: [fill(4)] },
    ]);
    expect(fills).toEqual([fill(4)]);
  });

  it("add up for each member of the fleet", () => {
    const member = (url: string, receivedBytes: number) => ({ url, receivedBytes, failures: 1 });
    const fleetOf = (...members: ReturnType<typeof member>[]) => ({ ...zero, fleet: { url: "http://own", members } });
    expect(
      addFigures([fleetOf(member("http://a", 1)), fleetOf(member("http://a", 2), member("http://b", 4))]).fleet,
    ).toEqual({
      url: "http://own",
      members: [{ url: "http://a", receivedBytes: 3, failures: 2 }, member("http://b", 4)],
    });
    expect(addFigures([zero, zero]).fleet).toBeNull();
  });

  it("have the traffic of each minute, whichever process started first", () => {
    const history = (firstMinute: number, hits: number[]) => ({
      ...zero,
      history: { firstMinute, hits, misses: hits, servedBytes: hits, fetchedBytes: hits },
    });
    expect(addFigures([history(12, [1, 2]), history(10, [5, 5, 5])]).history).toMatchObject({
      firstMinute: 10,
      hits: [5, 5, 6, 2],
    });
  });
});
