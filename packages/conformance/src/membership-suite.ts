import type { Membership } from "@mote/core";
import { errorCodeOf, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface MembershipCapabilities {
  /** Opens another object over the same store, as another process would. Without it, sharing is not tested. */
  readonly reopen?: ((membership: Membership) => Promise<Membership> | Membership) | undefined;
}

/**
 * Defines tests of the contract of `Membership`.
 * @param factory creates an empty one
 */
export function membershipSuite(
  { describe, it, expect }: TestApi,
  factory: () => Promise<Membership> | Membership,
  capabilities: MembershipCapabilities = {},
): void {
  const test = (name: string, body: (membership: Membership) => Promise<void>) =>
    it(name, async () => body(await factory()));
  const one = sample("one", 1).digest;
  const other = sample("other", 1).digest;
  const hub = "docker.io/library/app";
  const ghcr = "ghcr.io/library/app";
  const own = "library/app";

  describe("membership", () => {
    test("is empty at first, and removes absent records without an error", async (membership) => {
      expect(await membership.has(hub, one)).toBe(false);
      expect(await all(membership.list(hub))).toEqual([]);
      expect(await all(membership.repositories())).toEqual([]);
      await membership.remove(hub);
      await membership.remove(hub, one);
    });

    test("distinguishes repositories with the same path", async (membership) => {
      await membership.record(hub, one);
      await membership.record(own, other);
      for (const [repository, digests] of [
        [hub, [one]],
        [ghcr, []],
        [own, [other]],
        ["docker.io/library/app/more", []],
        ["docker.io/library", []],
        ["docker.io/app", []],
      ] as const) {
        expect(await all(membership.list(repository))).toEqual(digests);
        expect(await membership.has(repository, one)).toBe(digests.some((digest) => digest === one));
      }
    });

    test("lists a digest once that was recorded twice", async (membership) => {
      await Promise.all([membership.record(hub, one), membership.record(hub, one)]);
      await membership.record(hub, one, { named: true });
      expect(await all(membership.list(hub))).toEqual([one]);
      expect(await all(membership.repositories())).toEqual([hub]);
    });

    test("lists repositories: all, those with a path, and those with a named manifest", async (membership) => {
      await membership.record(hub, one, { named: true });
      await membership.record(ghcr, one);
      await membership.record(own, other, { named: true });
      await membership.record("127.0.0.1:5000/other", other);
      expect(await all(membership.repositories())).toEqual(["127.0.0.1:5000/other", hub, ghcr, own].sort());
      expect(await all(membership.repositories({ path: own }))).toEqual([hub, ghcr, own].sort());
      expect(await all(membership.repositories({ path: own, named: true }))).toEqual([hub, own].sort());
      expect(await all(membership.repositories({ path: "app" }))).toEqual([]);
    });

    test("removes one digest or all digests of a repository", async (membership) => {
      for (const digest of [one, other]) {
        await membership.record(hub, digest, { named: true });
        await membership.record(ghcr, digest);
      }
      await membership.remove(hub, one);
      expect(await all(membership.list(hub))).toEqual([other]);
      await membership.remove(hub, other);
      expect(await all(membership.repositories())).toEqual([ghcr]);
      await membership.remove(ghcr);
      expect(await all(membership.repositories())).toEqual([]);
      await membership.record(hub, one);
      expect(await all(membership.repositories({ named: true }))).toEqual([]);
    });

    test("does not list blobs, and removes them as it does manifests", async (membership) => {
      await membership.record(hub, one, { blob: true });
      expect(await membership.has(hub, one)).toBe(true);
      expect(await membership.has(ghcr, one)).toBe(false);
      expect(await all(membership.list(hub))).toEqual([]);
      expect(await all(membership.repositories())).toEqual([hub]);
      await membership.record(hub, one);
      expect(await all(membership.list(hub))).toEqual([one]);
      await membership.remove(hub, one);
      expect(await membership.has(hub, one)).toBe(false);
      expect(await all(membership.repositories())).toEqual([]);
    });

    test("rejects names that are not repository names", async (membership) => {
      const names = ["", "/", "..", "../../x", "a/../b", "/etc/passwd", "a//b", "UPPER", "a b", "a\0b", "a\nb", "a:1"];
      for (const name of [...names, "oci:/home/x/build", "dir:x", "ghcr.io/", "a".repeat(256)]) {
        expect([name, await errorCodeOf(() => membership.record(name, one))]).toEqual([name, "MOTE_INVALID_NAME"]);
        expect([name, await errorCodeOf(() => membership.has(name, one))]).toEqual([name, "MOTE_INVALID_NAME"]);
      }
      expect(await errorCodeOf(() => membership.record(hub, "sha256:../x" as never))).toBe("MOTE_INVALID_DIGEST");
      expect(await all(membership.repositories())).toEqual([]);
    });

    test("records many digests concurrently, in repositories with long names", async (membership) => {
      const names = Array.from({ length: 60 }, (_, at) => `registry.example/${"x/".repeat(100)}${at}`);
      const digests = Array.from({ length: 5 }, (_, at) => sample(`many ${at}`, 1).digest).sort();
      await Promise.all(names.flatMap((name) => digests.map((digest) => membership.record(name, digest))));
      expect(await all(membership.repositories())).toEqual(names.sort());
      for (const name of names) expect(await all(membership.list(name))).toEqual(digests);
    });

    test("rejects with the reason of the signal when aborted, and records nothing", async (membership) => {
      const signal = AbortSignal.abort(new RangeError("enough"));
      expect(await errorCodeOf(() => membership.record(hub, one, { signal }))).toBe("RangeError");
      expect(await membership.has(hub, one)).toBe(false);
    });

    if (capabilities.reopen !== undefined) {
      const { reopen } = capabilities;
      const shared = (name: string, body: (membership: Membership, another: Membership) => Promise<void>) =>
        test(name, async (membership) => body(membership, await reopen(membership)));

      shared("shows a change immediately to others with the same store", async (membership, another) => {
        await membership.record(hub, one, { named: true });
        expect(await another.has(hub, one)).toBe(true);
        expect(await all(another.repositories({ path: own, named: true }))).toEqual([hub]);
        await another.remove(hub);
        expect(await membership.has(hub, one)).toBe(false);
      });

      shared("loses no record while others remove records of the same repository", async (membership, another) => {
        for (let round = 0; round < 30; round++) {
          await membership.record(hub, one, { named: true });
          await Promise.all([membership.remove(hub, one), another.record(hub, other, { named: true })]);
          expect(await all(membership.list(hub))).toEqual([other]);
          await another.remove(hub, other);
        }
      });
    }
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found.sort();
}
