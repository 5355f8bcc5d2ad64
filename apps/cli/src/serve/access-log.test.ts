import { describe, expect, it } from "vitest";
import type { ServedRequest } from "../wire.js";
import { accessLine } from "./access-log.js";

const request: ServedRequest = {
  method: "GET",
  path: "/v2/app/manifests/1",
  status: 200,
  bytesSent: 12,
  durationMs: 1.26,
  complete: true,
  client: "192.0.2.7",
  userAgent: undefined,
  facts: {},
  isHit: undefined,
};

function lineOf(more: Partial<ServedRequest>): string {
  return accessLine({ ...request, ...more }, new Date(0));
}

describe("a line of the access log", () => {
  it("has only what is known", () => {
    expect(lineOf({})).toBe(
      '{"time":"1970-01-01T00:00:00.000Z","client":"192.0.2.7","method":"GET","path":"/v2/app/manifests/1","status":200,"bytes":12,"ms":1.3}',
    );
  });

  it("names the upstream only if it was asked", () => {
    const facts = { upstream: "docker.io", user: "ann" };
    expect(JSON.parse(lineOf({ facts, isHit: true }))).toMatchObject({ user: "ann", cache: "hit" });
    expect(lineOf({ facts, isHit: true })).not.toContain("docker.io");
    expect(JSON.parse(lineOf({ facts, isHit: false }))).toMatchObject({ upstream: "docker.io", cache: "miss" });
    expect(JSON.parse(lineOf({ facts, status: 502 }))).toMatchObject({ upstream: "docker.io" });
    expect(JSON.parse(lineOf({ complete: false }))).toMatchObject({ complete: false });
  });

  it("names the member of the fleet that has sent the request", () => {
    const facts = { member: "http://10.0.0.7:5000" };
    expect(JSON.parse(lineOf({ facts, path: "/api/fleet/blobs/x" }))).toMatchObject(facts);
  });

  it.each([
    ["/v2/_catalog?n=5&last=a", "/v2/_catalog?n=5&last=a"],
    ["/v2/?token=secret&ns=x&sig", "/v2/?token=\u2026&ns=x&sig"],
    ["http://ann:secret@host/v2/?ns=x", "/v2/?ns=x"],
    ["/v2/?a=b=c", "/v2/?a=\u2026"],
    [`/${"x".repeat(5000)}`, `/${"x".repeat(1023)}`],
  ])("shows the target %s without secrets, shortened", (path, shown) => {
    expect(JSON.parse(lineOf({ path })).path).toBe(shown);
  });

  it("has only printable ASCII, also for hostile agents", () => {
    const userAgent = "\u001b[2J\u009b\u202e\u00e9\n";
    const line = lineOf({ userAgent });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line).agent).toBe(userAgent);
  });
});
