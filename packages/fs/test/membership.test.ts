import fs, { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { membershipSuite } from "@mote/conformance";
import { type Membership, MoteError } from "@mote/core";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { FileCache } from "../src/index.js";
import { putImage } from "./image.js";

const root = mkdtempSync(join(tmpdir(), "mote-membership-"));
afterAll(() => rmSync(root, { recursive: true }));

describe("FileCache", () => {
  const folders = new WeakMap<Membership, string>();
  const open = (folder: string) => {
    const { membership } = new FileCache(folder, { durability: "visible" });
    folders.set(membership, folder);
    return membership;
  };
  membershipSuite({ describe, it, expect }, () => open(mkdtempSync(join(root, "cache-"))), {
    reopen: (membership) => open(folders.get(membership) ?? ""),
  });
});

describe("the membership of manifests in repositories", () => {
  let folder: string;
  let cache: FileCache;
  beforeEach(async () => {
    folder = mkdtempSync(join(root, "cache-"));
    cache = new FileCache(folder, { durability: "visible" });
    await cache.initialize();
  });
  const members = async (repository: string) => {
    const found = [];
    for await (const digest of cache.membership.list(repository)) found.push(digest);
    return found.sort();
  };
  const repositories = async () => {
    const found = [];
    for await (const name of cache.membership.repositories({ named: true })) found.push(name);
    return found.sort();
  };

  it("is recorded with every tag, also by another cache of the folder", async () => {
    const { manifest } = await putImage(cache, "docker.io/library/app:1", ["a"]);
    await new FileCache(folder).tags.tag(`ghcr.io/app:1@${manifest.digest}`, manifest);
    await cache.tags.tag(`quay.io/app@${manifest.digest}`, manifest);
    for (const local of ["oci:/home/x/build:1", "dir:/x:1", "docker-archive:/x.tar:team/app:1", "1.0", "/home/x:1"]) {
      await cache.tags.tag(local, manifest);
    }
    expect(await repositories()).toEqual(["docker.io/library/app", "ghcr.io/app", "quay.io/app"]);
    expect(await members("ghcr.io/app")).toEqual([manifest.digest]);
  });

  it("ends with the tag, unless another tag of the repository refers to the same manifest", async () => {
    const first = (await putImage(cache, "ghcr.io/app:1", ["a"])).manifest;
    const second = (await putImage(cache, "ghcr.io/app:2", ["b"])).manifest;
    await cache.tags.tag("ghcr.io/app:also", first);
    await cache.tags.tag("quay.io/app:1", first);
    await cache.tags.untag("ghcr.io/app:1");
    expect(await members("ghcr.io/app")).toEqual([first.digest, second.digest].sort());
    await cache.tags.untag("ghcr.io/app:also");
    expect(await members("ghcr.io/app")).toEqual([second.digest]);
    expect(await members("quay.io/app")).toEqual([first.digest]);
  });

  it("ends completely with the last tag of a repository", async () => {
    const image = (await putImage(cache, "ghcr.io/app:1", ["a"])).manifest;
    const signature = (await putImage(cache, undefined, ["s"])).manifest;
    await cache.membership.record("ghcr.io/app", signature.digest);
    await cache.tags.tag("quay.io/app:1", image);
    await cache.tags.untag("ghcr.io/app:1");
    expect(await members("ghcr.io/app")).toEqual([]);
    expect(await repositories()).toEqual(["quay.io/app"]);
  });

  it("is kept for removed names on request, and always for blobs", async () => {
    const image = (await putImage(cache, "ghcr.io/app:1", ["a"])).manifest;
    const pushed = (await putImage(cache, undefined, ["b"])).manifest.digest;
    await cache.membership.record("ghcr.io/app", pushed);
    await cache.membership.record("ghcr.io/app", image.digest, { blob: true });
    await cache.tags.untag("ghcr.io/app:1", { keepsMembership: true });
    expect(await members("ghcr.io/app")).toEqual([image.digest, pushed].sort());
    await cache.tags.tag("ghcr.io/app:2", image);
    await cache.tags.untag("ghcr.io/app:2");
    expect(await members("ghcr.io/app")).toEqual([]);
    expect(await cache.membership.has("ghcr.io/app", image.digest)).toBe(true);
    await cache.prune(0);
    expect(await cache.membership.has("ghcr.io/app", image.digest)).toBe(false);
  });

  it("of a manifest continues when its tag is moved to another one", async () => {
    const old = (await putImage(cache, "ghcr.io/app:1", ["a"])).manifest;
    const next = (await putImage(cache, "ghcr.io/app:1", ["b"])).manifest;
    expect(await members("ghcr.io/app")).toEqual([old.digest, next.digest].sort());
  });

  it("is removed by prune and removeClosure", async () => {
    const image = (await putImage(cache, "ghcr.io/app:1", ["a"])).manifest;
    const other = (await putImage(cache, "ghcr.io/other:1", ["b"])).manifest;
    const pushed = (await putImage(cache, undefined, ["c"])).manifest;
    await cache.membership.record("127.0.0.1:5000/pushed", pushed.digest);
    await cache.removeClosure([image.digest]);
    expect(await repositories()).toEqual(["ghcr.io/other"]);
    expect(await members("127.0.0.1:5000/pushed")).toEqual([pushed.digest]);
    const lease = await cache.lease([other.digest]);
    await cache.prune(0);
    expect(await members("ghcr.io/other")).toEqual([other.digest]);
    await lease.release();
    await cache.prune(0);
    expect(fs.readdirSync(join(folder, ".mote", "repositories"))).toEqual(["format.json"]);
  });

  it("is stored in a versioned format, and a newer version is rejected", async () => {
    const { manifest } = await putImage(cache, "ghcr.io/app:1", ["a"]);
    const path = join(folder, ".mote", "repositories", "format.json");
    expect(JSON.parse(fs.readFileSync(path, "utf8"))).toEqual({ format: "mote-repositories", version: 1 });
    fs.writeFileSync(path, JSON.stringify({ format: "mote-repositories", version: 2 }));
    const later = new FileCache(folder);
    const failure = await later.membership.has("ghcr.io/app", manifest.digest).catch((error: unknown) => error);
    expect(MoteError.isInstance(failure) && failure.code).toBe("MOTE_UNSUPPORTED_FORMAT");
    await later.tags.tag("ghcr.io/app:2", manifest);
    expect(await later.tags.resolve("ghcr.io/app:2")).toEqual(manifest);
  });

  it("does not follow a planted link out of the cache", async () => {
    const { manifest } = await putImage(cache, "ghcr.io/app:1", ["a"]);
    const own = join(folder, ".mote", "repositories");
    const outer = fs.readdirSync(own).find((name) => name !== "format.json") ?? "";
    const outside = mkdtempSync(join(root, "outside-"));
    const [inner = ""] = fs.readdirSync(join(own, outer));
    fs.renameSync(join(own, outer, inner), join(outside, inner));
    fs.rmdirSync(join(own, outer));
    fs.symlinkSync(outside, join(own, outer));
    const before = fs.readdirSync(join(outside, inner));
    expect(await cache.membership.has("ghcr.io/app", manifest.digest)).toBe(false);
    await cache.membership.remove("ghcr.io/app");
    await cache.tags.tag("ghcr.io/app:2", manifest);
    await cache.prune(0);
    expect(fs.readdirSync(join(outside, inner))).toEqual(before);
    expect(fs.readdirSync(outside)).toEqual([inner]);
  });
});
