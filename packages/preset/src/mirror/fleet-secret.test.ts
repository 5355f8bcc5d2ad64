import { MemoryFetchLeases, MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import { checkFleetSecret, storedFleetSecret } from "./fleet-secret.js";

describe("the secret of a fleet", () => {
  it("is made by the first member, and the same for the others", async () => {
    const leases = new MemoryFetchLeases();
    const [one, other] = [storedFleetSecret(leases), storedFleetSecret(leases)];
    const secret = await one();
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect([await other(), await one()]).toEqual([secret, secret]);
  });

  it("is requested again after an error, but not endlessly", async () => {
    let calls = 0;
    const leases = new MemoryFetchLeases();
    leases.secret = async () => {
      if (++calls > 1) return "s".repeat(32);
      throw new MoteError("MOTE_UNREACHABLE", "Redis is down");
    };
    const secret = storedFleetSecret(leases);
    await expect(secret()).rejects.toMatchObject({ code: "MOTE_UNREACHABLE" });
    expect(await secret()).toBe("s".repeat(32));
    let asked = 0;
    leases.secret = () => Promise.reject(new Error(String(++asked)));
    const failing = storedFleetSecret(leases);
    for (let at = 0; at < 9; at++) await expect(failing()).rejects.toThrow();
    expect(asked).toBe(3);
  });

  it("is requested again when the store has recovered", async () => {
    const leases = new MemoryFetchLeases();
    const { secret: ask } = leases;
    let nowMs = 0;
    leases.secret = () => Promise.reject(new MoteError("MOTE_UNREACHABLE", "Redis is down"));
    const secret = storedFleetSecret(leases, () => nowMs);
    for (let at = 0; at < 5; at++) await expect(secret()).rejects.toThrow();
    leases.secret = ask;
    nowMs += 1_000;
    expect(await secret()).toMatch(/^[\w-]{43}$/);
  });

  it("is read again after a while, and is what it was if the store has lost it", async () => {
    const leases = new MemoryFetchLeases();
    let nowMs = 0;
    const secret = storedFleetSecret(leases, () => nowMs);
    const first = await secret();
    const asked: string[] = [];
    const made = "m".repeat(32);
    leases.secret = async (proposed) => {
      if (asked.push(proposed) === 1) throw new MoteError("MOTE_UNREACHABLE", "Redis is down");
      return made;
    };
    nowMs += 60_000;
    expect(await secret()).toBe(first);
    await expect.poll(secret).toBe(made);
    expect(asked).toEqual([first, first]);
  });

  it("that is stored is checked, too", async () => {
    const leases = new MemoryFetchLeases();
    leases.secret = async () => "x";
    await expect(storedFleetSecret(leases)()).rejects.toMatchObject({ code: "MOTE_CONFIG" });
    expect(() => checkFleetSecret("with spaces ".repeat(9))).toThrow(MoteError);
  });
});
