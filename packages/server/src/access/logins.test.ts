import { afterEach, describe, expect, it, vi } from "vitest";
import { Logins } from "./logins.js";

const users = new Map([
  ["ann", "hash of ann"],
  ["bob", "hash of bob"],
]);

/** Finds a password right if it is "right". */
class FakeChecker {
  readonly checked: string[] = [];

  check(password: string, hash: string): Promise<boolean> {
    this.checked.push(hash);
    if (password === "broken") return Promise.reject(new Error("broken"));
    return Promise.resolve(password === "right");
  }
}

afterEach(() => vi.useRealTimers());

describe("a login", () => {
  it("is checked once for many requests, also for those at the same time", async () => {
    const checker = new FakeChecker();
    const logins = new Logins(checker);
    for (const password of ["right", "wrong"]) {
      const many = Array.from({ length: 50 }, () => logins.isValid({ user: "ann", password }, users));
      expect(new Set(await Promise.all(many))).toEqual(new Set([password === "right"]));
      expect(await logins.isValid({ user: "ann", password }, users)).toBe(password === "right");
    }
    expect(checker.checked).toEqual(["hash of ann", "hash of ann"]);
  });

  it("is checked again after some time, and when the hash has changed", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const checker = new FakeChecker();
    const logins = new Logins(checker);
    const login = { user: "ann", password: "right" };
    await logins.isValid(login, users);
    vi.advanceTimersByTime(5 * 60_000 - 1);
    await logins.isValid(login, users);
    expect(checker.checked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    await logins.isValid(login, users);
    expect(checker.checked).toHaveLength(2);
    await logins.isValid(login, new Map([["ann", "new hash"]]));
    expect(checker.checked[2]).toBe("new hash");
  });

  it("of an unknown user is compared with a hash, too, and is never valid", async () => {
    const checker = new FakeChecker();
    const logins = new Logins(checker);
    for (const user of ["eve", "mallory", "trent", "walter"]) {
      expect(await logins.isValid({ user, password: "right" }, users)).toBe(false);
    }
    expect(checker.checked).toHaveLength(4);
    expect([...users.values()]).toEqual(expect.arrayContaining(checker.checked));
    expect(await logins.isValid({ user: "eve", password: "right" }, new Map())).toBe(false);
  });

  it("whose check fails is checked again the next time", async () => {
    const checker = new FakeChecker();
    const logins = new Logins(checker);
    for (let time = 0; time < 2; time++)
      await expect(logins.isValid({ user: "ann", password: "broken" }, users)).rejects.toThrow("broken");
    expect(checker.checked).toHaveLength(2);
  });
});
