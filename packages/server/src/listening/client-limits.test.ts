import { describe, expect, it } from "vitest";
import { ClientLimits, clientKey } from "./client-limits.js";

const { signal } = new AbortController();

describe("the limits of a client", () => {
  it("count its in-flight requests, and not those of others", () => {
    const limits = new ClientLimits({ requests: 2 });
    const first = limits.begin("192.0.2.1");
    expect(limits.begin("::ffff:192.0.2.1")).toBeDefined();
    expect(limits.begin("192.0.2.1")).toBeUndefined();
    expect(limits.begin("192.0.2.2")).toBeDefined();
    first?.end();
    expect(limits.begin("192.0.2.1")).toBeDefined();
  });

  it("pace its bodies together", async () => {
    const limits = new ClientLimits({ requests: 9, bytesPerSecond: 1_000_000 });
    const [one, other] = [limits.begin("192.0.2.1"), limits.begin("192.0.2.1")];
    const before = performance.now();
    await Promise.all([one?.pace(30_000, signal), other?.pace(30_000, signal)]);
    expect(performance.now() - before).toBeGreaterThan(55);
    expect(new ClientLimits({}).begin("192.0.2.1")?.pace(1e9, signal)).toBeUndefined();
  });

  it("end a pause when the client disconnects", async () => {
    const gone = new AbortController();
    const pause = new ClientLimits({ bytesPerSecond: 1 }).begin("192.0.2.1")?.pace(1e6, gone.signal);
    gone.abort();
    await expect(pause).rejects.toHaveProperty("name", "AbortError");
  });

  it("must be greater than 0", () => {
    expect(() => new ClientLimits({ requests: 0 })).toThrow(TypeError);
    expect(() => new ClientLimits({ bytesPerSecond: 0 })).toThrow(TypeError);
  });

  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:7::1", "2001:db8:0:7::/64"],
    ["2001:db8:0:7:ffff:ffff:ffff:ffff", "2001:db8:0:7::/64"],
    ["2001:0db8::1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["", ""],
  ])("see %s as %s", (address, key) => {
    expect(clientKey(address)).toBe(key);
  });
});
