import type { Membership } from "@mote/core";
import { errorCodeOf, sample } from "./sample-motes.js";
import type { TestApi } from "./test-api.js";

export interface MembershipCapabilities {
  /** Opens the same place once more, as another process would. Without it, sharing is not tested. */
  readonly reopen?: ((membership: Membership) => Promise<Membership> | Membership) | undefined;
}

/**
 * The contract of `Membership`.
 * @param factory makes one without records
 */
export function membershipSuite(
  { describe, it, expect }: TestApi,
  factory: () => Promise<Membership> | Membership,
  capabilities: MembershipCapabilities = {},
): void {
  const one = sample("one", 1).digest;
  const other = sample("other", 1).digest;
  const hub = "docker.io/library/app";
  const ghcr = "ghcr.io/library/app";
  const own = "library/app";

  describe("membership", () => {
    it("is empty at first", async () => {
      const membership = await factory();
      expect(await membership.has(hub, one)).toBe(false);
      expect(await all(membership.list(hub))).toEqual([]);
      expect(await all(membership.repositories())).toEqual([]);
      await membership.remove(hub);
      await membership.remove(hub, one);
    });

    it("of one repository is not that of another with the same path", async () => {
      const membership = await factory();
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

    it("recorded twice is recorded once", async () => {
      const membership = await factory();
      await Promise.all([membership.record(hub, one), membership.record(hub, one)]);
      await membership.record(hub, one, { named: true });
      expect(await all(membership.list(hub))).toEqual([one]);
      expect(await all(membership.repositories())).toEqual([hub]);
    });

    it("tells the repositories, those of one path, and those that have a name", async () => {
      const membership = await factory();
      await membership.record(hub, one, { named: true });
      await membership.record(ghcr, one);
      await membership.record(own, other, { named: true });
      await membership.record("127.0.0.1:5000/other", other);
      expect(await all(membership.repositories())).toEqual(["127.0.0.1:5000/other", hub, ghcr, own].sort());
      expect(await all(membership.repositories({ path: own }))).toEqual([hub, ghcr, own].sort());
      expect(await all(membership.repositories({ path: own, named: true }))).toEqual([hub, own].sort());
      expect(await all(membership.repositories({ path: "app" }))).toEqual([]);
    });

    it("is removed one by one, or all of a repository", async () => {
      const membership = await factory();
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

    it("takes repositories' names only", async () => {
      const membership = await factory();
      const names = ["", "/", "..", "../../x", "a/../b", "/etc/passwd", "a//b", "UPPER", "a b", "a\0b", "a\nb", "a:1"];
      for (const name of [...names, "oci:/home/x/build", "dir:x", "ghcr.io/", "a".repeat(256)]) {
        expect([name, await errorCodeOf(() => membership.record(name, one))]).toEqual([name, "MOTE_INVALID_NAME"]);
        expect([name, await errorCodeOf(() => membership.has(name, one))]).toEqual([name, "MOTE_INVALID_NAME"]);
      }
      expect(await errorCodeOf(() => membership.record(hub, "sha256:../x" as never))).toBe("MOTE_INVALID_DIGEST");
      expect(await all(membership.repositories())).toEqual([]);
    });

    it("takes many at once, of long names too", async () => {
      const membership = await factory();
      const names = Array.from({ length: 60 }, (_, at) => `registry.example/${"x/".repeat(100)}${at}`);
      const digests = Array.from({ length: 5 }, (_, at) => sample(`many ${at}`, 1).digest).sort();
      await Promise.all(names.flatMap((name) => digests.map((digest) => membership.record(name, digest))));
      expect(await all(membership.repositories())).toEqual(names.sort());
      for (const name of names) expect(await all(membership.list(name))).toEqual(digests);
    });

    it("does nothing once its signal is aborted", async () => {
      const membership = await factory();
      const signal = AbortSignal.abort(new RangeError("enough"));
      expect(await errorCodeOf(() => membership.record(hub, one, { signal }))).toBe("RangeError");
      expect(await membership.has(hub, one)).toBe(false);
    });

    if (capabilities.reopen !== undefined) {
      const { reopen } = capabilities;
      it("is seen at once by whoever else has the place open", async () => {
        const membership = await factory();
        const another = await reopen(membership);
        await membership.record(hub, one, { named: true });
        expect(await another.has(hub, one)).toBe(true);
        expect(await all(another.repositories({ path: own, named: true }))).toEqual([hub]);
        await another.remove(hub);
        expect(await membership.has(hub, one)).toBe(false);
      });

      it("loses no record while others remove theirs of the same repository", async () => {
        const membership = await factory();
        const another = await reopen(membership);
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
