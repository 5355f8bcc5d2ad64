import type { Cancellable, Digest, FetchLease, FetchLeases } from "@mote/core";
import { errorCodeOf, errorCodesOf, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

/** Leases under test. A backend may return more, for its own `plant`. */
export type FetchLeasesFactory<Leases extends FetchLeases> = () => Promise<Leases> | Leases;

export interface FetchLeasesCapabilities<Leases extends FetchLeases> {
  /** Opens another object over the same store, as another machine would. Without it, all members of the tests use one object. */
  readonly reopen?: ((leases: Leases) => Promise<Leases> | Leases) | undefined;
  /** Lets time pass by the clock of the store, which need not be exact. Default: waits. */
  readonly elapse?: ((ms: number) => Promise<void> | void) | undefined;
  /** Stores a text where the lease of a digest is, or the secret. Without it, values of another program are not tested. */
  readonly plant?: ((leases: Leases, where: Digest | "secret", text: string) => Promise<void> | void) | undefined;
}

const digest = sample("fetched", 10).digest;
const other = sample("fetched as well", 10).digest;
const secret = "0123456789abcdef";
const long = { durationMs: 600_000 };
/** Whole seconds, because some stores know no parts of seconds. */
const short = { durationMs: 1_000 };
const timeoutMs = 60_000;

/**
 * Defines tests of the contract of `FetchLeases`.
 * @param factory creates leases over an empty store
 */
export function fetchLeasesSuite<Leases extends FetchLeases>(
  { describe, it, expect }: TestApi,
  factory: FetchLeasesFactory<Leases>,
  { reopen = (leases) => leases, elapse = wait, plant }: FetchLeasesCapabilities<Leases> = {},
): void {
  const members = async (count: number) => {
    const first = await factory();
    const rest = await Promise.all(Array.from({ length: count - 1 }, () => reopen(first)));
    return [first, ...rest];
  };
  const test = (name: string, body: (leases: Leases, others: Leases) => Promise<void>) =>
    it(
      name,
      async () => {
        const leases = await factory();
        await body(leases, await reopen(leases));
      },
      timeoutMs,
    );
  /** Acquires the lease by all members at once, of whom exactly one gets it. */
  const acquireAtOnce = async (all: readonly Leases[], replaces?: number): Promise<FetchLease | undefined> => {
    const acquire = (leases: Leases, at: number) => leases.acquire(digest, holder(`m${at}`), { ...long, replaces });
    const got = await Promise.all(all.map(acquire));
    const [first] = got;
    expect(isLease(first)).toBe(true);
    for (const lease of got) expect(lease).toEqual(first);
    expect(got.filter((lease, at) => lease.holder === holder(`m${at}`)).length).toBe(1);
    return first;
  };
  /** Lets time pass until the lease has lapsed and the member has it. */
  const takeLapsed = async (leases: FetchLeases, name: string): Promise<FetchLease> => {
    for (;;) {
      await elapse(250);
      const lease = await leases.acquire(digest, holder(name), long);
      if (lease.holder === holder(name)) return lease;
    }
  };

  describe("leases of fetches", () => {
    it("gives the lease to exactly one of several that acquire it at once, and tells the others the holder", async () => {
      await acquireAtOnce(await members(8));
    });

    test("has a lease for each digest, of each algorithm", async (a, b) => {
      const sha512 = `sha512:${"0a".repeat(64)}` as Digest;
      for (const each of [digest, sha512]) expect((await a.acquire(each, holder("a"), long)).digest).toBe(each);
      expect((await b.acquire(other, holder("b"), long)).holder).toBe(holder("b"));
      expect((await b.acquire(sha512, holder("b"), long)).holder).toBe(holder("a"));
    });

    test("gives the holder its lease again, with a greater token, which ends the one before", async (a, restarted) => {
      const first = await a.acquire(digest, holder("a"), long);
      await a.renew(first, { ...long, isStored: true });
      const second = await restarted.acquire(digest, holder("a"), long);
      expect([second.holder, second.isStored, second.token > first.token]).toEqual([holder("a"), false, true]);
      expect(await a.renew(first, long)).toBe(false);
      expect(await restarted.renew(second, long)).toBe(true);
    });

    test("gives a lapsed lease to another, with a greater token", async (a, b) => {
      const first = await a.acquire(digest, holder("a"), short);
      const second = await takeLapsed(b, "b");
      expect([second.isStored, second.token > first.token]).toEqual([false, true]);
      expect(await a.renew(first, long)).toBe(false);
      expect(await a.acquire(digest, holder("a"), long)).toEqual(second);
    });

    test("extends a lease from its renewal on", async (a, b) => {
      const lease = await a.acquire(digest, holder("a"), short);
      if (!(await a.renew(lease, long))) return; // The machine is so busy that it has lapsed.
      await elapse(2 * short.durationMs + 500);
      expect(await b.acquire(digest, holder("b"), long)).toEqual(lease);
    });

    test("tells the others that the blob is stored, until the lease ends", async (a, b) => {
      const lease = await a.acquire(digest, holder("a"), long);
      expect(await a.renew(lease, { ...long, isStored: true })).toBe(true);
      expect(await b.acquire(digest, holder("b"), long)).toEqual({ ...lease, isStored: true });
      expect(await a.renew(lease, long)).toBe(true);
      expect((await b.acquire(digest, holder("b"), long)).isStored).toBe(true);
      await a.release(lease);
      expect((await b.acquire(digest, holder("b"), long)).isStored).toBe(false);
    });

    it("lets exactly one of several take over a lease by its token", async () => {
      const all = await members(8);
      const failed = await all[0]?.acquire(digest, holder("failed"), long);
      const replaces = failed?.token;
      const lease = await acquireAtOnce(all, replaces);
      expect((lease?.token ?? 0) > (replaces ?? 0)).toBe(true);
    });

    test("takes over nothing by another token than that of the lease", async (a, b) => {
      const lease = await a.acquire(digest, holder("a"), long);
      for (const replaces of [lease.token + 1, Math.max(1, lease.token - 1)]) {
        if (replaces === lease.token) continue;
        expect(await b.acquire(digest, holder("b"), { ...long, replaces })).toEqual(lease);
      }
      expect(await a.renew(lease, long)).toBe(true);
      expect((await b.acquire(other, holder("b"), { ...long, replaces: 7 })).holder).toBe(holder("b"));
    });

    test("lets a holder whose lease was taken over neither renew it, nor mark the blob as stored, nor release it", async (a, b) => {
      const first = await a.acquire(digest, holder("a"), long);
      const second = await b.acquire(digest, holder("b"), { ...long, replaces: first.token });
      expect(await a.renew(first, long)).toBe(false);
      expect(await a.renew(first, { ...long, isStored: true })).toBe(false);
      await a.release(first);
      expect(await a.acquire(digest, holder("a"), long)).toEqual(second);
      expect(await b.renew(second, long)).toBe(true);
    });

    test("frees a released lease once, and leaves one of another holder alone", async (a, b) => {
      const first = await a.acquire(digest, holder("a"), long);
      await b.release({ ...first, holder: holder("b") });
      await b.release({ ...first, token: first.token + 1 });
      await b.release({ ...first, digest: other });
      expect(await b.acquire(digest, holder("b"), long)).toEqual(first);
      for (const _ of [1, 2]) await a.release(first);
      expect(await a.renew(first, long)).toBe(false);
      const second = await b.acquire(digest, holder("b"), long);
      expect([second.holder, second.token > first.token]).toEqual([holder("b"), true]);
      await a.release(first);
      expect(await b.renew(second, long)).toBe(true);
    });

    test("renews and releases a lease through another object over the same store", async (a, b) => {
      const lease = await a.acquire(digest, holder("a"), long);
      expect(await b.renew({ ...lease }, { ...long, isStored: true })).toBe(true);
      expect(await a.renew(lease, long)).toBe(true);
      expect((await b.acquire(digest, holder("b"), long)).isStored).toBe(true);
      await b.release({ ...lease });
      expect((await b.acquire(digest, holder("b"), long)).holder).toBe(holder("b"));
    });

    it("stores one secret, and gives all members the same one", async () => {
      const all = await members(8);
      const got = await Promise.all(all.map((leases, at) => leases.secret(`${secret}-${at}`)));
      expect(new Set(got).size).toBe(1);
      expect(got[0]?.startsWith(`${secret}-`)).toBe(true);
      expect(await all[1]?.secret(`${secret}-later`)).toBe(got[0]);
    });

    test("rejects invalid arguments, and stores nothing", async (leases) => {
      const acquire = (holder: string, options: object = {}) =>
        errorCodeOf(() => leases.acquire(digest, holder, { ...long, ...options }));
      for (const url of ["", "a:80", "file:///etc", "ftp://a", "http://", "http://a b", "http://u:p@a", "http://a\n"])
        expect([url, await acquire(url)]).toEqual([url, "TypeError"]);
      expect(await acquire(`http://${"a".repeat(2_048)}`)).toBe("TypeError");
      for (const durationMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 86_400_001])
        expect([durationMs, await acquire(holder("a"), { durationMs })]).toEqual([durationMs, "TypeError"]);
      for (const replaces of [0, -1, 0.5, Number.NaN])
        expect([replaces, await acquire(holder("a"), { replaces })]).toEqual([replaces, "TypeError"]);
      const wrong = "sha256:../../x" as Digest;
      expect(await errorCodeOf(() => leases.acquire(wrong, holder("a"), long))).toBe("MOTE_INVALID_DIGEST");
      const lease = await leases.acquire(digest, holder("b"), long);
      expect(await errorCodeOf(() => leases.renew(lease, { durationMs: 0 }))).toBe("TypeError");
      expect(await errorCodeOf(() => leases.renew({ ...lease, digest: wrong }, long))).toBe("MOTE_INVALID_DIGEST");
      expect(await errorCodeOf(() => leases.release({ ...lease, digest: wrong }))).toBe("MOTE_INVALID_DIGEST");
      for (const proposed of ["", "short", "x".repeat(1_025), `${secret} ${secret}`, `${secret}\n`])
        expect(await errorCodeOf(() => leases.secret(proposed))).toBe("TypeError");
      expect(await leases.secret(secret)).toBe(secret);
    });

    test("rejects with the reason of the signal when aborted, and changes nothing", async (a, b) => {
      const lease = await a.acquire(digest, holder("a"), long);
      const signal = AbortSignal.abort(new RangeError("enough"));
      expect(await errorCodesOf(callsOf(a, lease, { signal }))).toEqual(["RangeError"]);
      expect(await b.acquire(digest, holder("b"), long)).toEqual(lease);
      expect((await b.acquire(other, holder("b"), long)).holder).toBe(holder("b"));
      expect(await b.secret(`${secret}-other`)).toBe(`${secret}-other`);
    });

    test("can be closed twice, and not be used afterwards", async (leases) => {
      const lease = await leases.acquire(digest, holder("a"), long);
      for (const _ of [1, 2]) await leases[Symbol.asyncDispose]();
      expect(await errorCodesOf(callsOf(leases, lease))).toEqual(["MOTE_CLOSED"]);
    });

    if (plant !== undefined) {
      test("treats what another program stored as no lease, or rejects it with a code", async (a, b) => {
        for (const text of foreignTexts) {
          await plant(a, digest, text);
          const planted: FetchLease = { digest, holder: holder("a"), token: 1, isStored: false };
          expect(await errorCodeOf(() => a.release(planted))).toBe("none");
          expect(await a.renew(planted, long)).toBe(false);
          const code = await errorCodeOf(async () => {
            const lease = await a.acquire(digest, holder("a"), long);
            expect([text.slice(0, 80), isLease(lease), lease.holder]).toEqual([text.slice(0, 80), true, holder("a")]);
            expect(await a.renew(lease, long)).toBe(true);
            expect(await b.acquire(digest, holder("b"), long)).toEqual(lease);
          });
          expect(code === "none" || code.startsWith("MOTE_")).toBe(true);
        }
      });

      test("rejects a secret that another program stored if it is not one, and names no part of it", async (leases) => {
        for (const text of ["", "short", "x".repeat(1_000_000), `${secret} ${secret}`, "\u0000".repeat(32)]) {
          await plant(leases, "secret", text);
          expect(await errorCodeOf(() => leases.secret(secret))).toBe("MOTE_IO");
        }
      });
    }
  });
}

const foreignTexts = [
  "",
  "\u0000",
  "null",
  "[]",
  "{}",
  "1 0",
  "another format",
  "[".repeat(100_000),
  "x".repeat(2_000_000),
];

/** Returns a call of each method, with valid arguments. */
function callsOf(leases: FetchLeases, lease: FetchLease, options: Cancellable = {}): readonly (() => unknown)[] {
  return [
    () => leases.acquire(other, holder("a"), { ...long, ...options }),
    () => leases.renew(lease, { ...long, isStored: true, ...options }),
    () => leases.release(lease, options),
    () => leases.secret(secret, options),
  ];
}

function holder(name: string): string {
  return `https://${name}.example:8443/mote`;
}

function isLease(lease: FetchLease | undefined): lease is FetchLease {
  return lease !== undefined && Number.isSafeInteger(lease.token) && lease.token > 0;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
