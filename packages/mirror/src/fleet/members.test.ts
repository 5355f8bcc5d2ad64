import { MoteError } from "@mote/core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { MemberCounts } from "./members.js";

const member = "http://member.example";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

it("asks a member for further blobs as soon as it sends one again, not only when that is complete", () => {
  const counts = new MemberCounts();
  for (let at = 0; at < 3; at++) counts.failed(member, new MoteError("MOTE_UNREACHABLE", "connection refused"));
  expect(counts.tryRequest(member)).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect([counts.tryRequest(member), counts.tryRequest(member)]).toEqual([true, false]);
  counts.received(member, 10);
  expect(counts.tryRequest(member)).toBe(true);
});
