import { chmod, readdir, readFile, stat, truncate, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Descriptor, Digest } from "@mote/core";
import { needs } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FilledCache, ImageOrigin, type PushedImage } from "./filled-cache.js";
import type { Ended } from "./run-mote.js";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(
  `commands that remove or repair content of a cache that was filled from docker-registry${wanted}`,
  () => {
    let origin: ImageOrigin;
    let filled: FilledCache;
    let tools1: PushedImage;
    let tools2: PushedImage;
    let index: Descriptor;
    let cache: string;

    const mote = (...args: string[]) => filled.mote(...args);
    const ok = (...args: string[]) => filled.ok(...args);
    const document = async (...args: string[]) => JSON.parse(await ok(...args, "--json"));
    const codeOf = ({ stderr }: Ended) => JSON.parse(stderr).error.code;
    const blob = (digest: string) => filled.blob(digest);
    const name = (tail: string) => origin.name(tail);
    const short = (digest: Digest) => digest.slice(0, 19);

    beforeAll(async () => {
      origin = await ImageOrigin.start();
      ({ tools1, tools2, index } = origin.images);
    });

    afterAll(() => origin?.stop());

    beforeEach(async () => {
      filled = await origin.fill();
      cache = filled.dir;
    });

    it("pin protects an image from prune, unpin removes the protection, and ls shows it", async () => {
      expect(await document("pin", "app:1")).toEqual([
        { digest: index.digest, name: name("team/app:1"), changed: true },
      ]);
      expect((await document("pin", "app:1"))[0].changed).toBe(false);
      expect(await ok("ls", "--pinned")).toMatch(/pinned$/m);
      const report = await mote("prune", "--max-size", "0");
      expect(report.status).toBe(1);
      expect(await ok("verify", "app:1")).toContain("all verified");
      const { tree } = await document("info", "app:1");
      expect(JSON.stringify(tree.children.slice(0, 2))).not.toContain('"kept":false');
      expect((await mote("info", "tools:1", "--json")).status).toBe(1);
      await ok("unpin", "app:1");
      await ok("prune", "--max-size", "0");
      expect(await readdir(join(cache, "blobs", "sha256"))).toEqual([]);
    });

    it("rm of the last name removes what only this image needs, and reports what stays", async () => {
      const removed = await document("rm", "tools:1");
      expect(removed.untagged).toEqual([name("lib/tools:1")]);
      expect(removed.removed.sort()).toContain(tools1.layers[1]?.digest);
      expect(removed.leftBehind).toEqual({ motes: 1, bytes: 30_000 });
      await stat(blob(tools1.layers[0]?.digest ?? ""));
      await expect(stat(blob(tools1.manifest.digest))).rejects.toMatchObject({ code: "ENOENT" });
      expect(await ok("verify", "tools:2")).toContain("all verified");
    });

    it("rm --keep-content removes only the name; rm of a layer removes it and warns of the incomplete image", async () => {
      await ok("rm", "--keep-content", "tools:1");
      await stat(blob(tools1.manifest.digest));
      expect(await ok("ls", "--untagged")).toContain(short(tools1.manifest.digest));
      const layer = tools2.layers[1]?.digest ?? "";
      const ended = await mote("rm", layer);
      expect(ended).toMatchObject({ status: 0 });
      expect(ended.stderr).toContain(name("lib/tools:2"));
      expect(codeOf(await mote("rm", layer, "--json"))).toBe("MOTE_NOT_FOUND");
      await ok("pin", tools2.layers[2]?.digest ?? "");
      expect(codeOf(await mote("rm", tools2.layers[2]?.digest ?? "", "--json"))).toBe("MOTE_PINNED");
    });

    it("nothing is removed if one of the names is wrong", async () => {
      expect(codeOf(await mote("rm", "tools:1", "tools:9", "--json"))).toBe("MOTE_NOT_FOUND");
      expect(await ok("ls", "tools:1")).not.toBe("");
    });

    it("prune shows what it would remove and why, removes it, and keeps newer content", async () => {
      const { config } = JSON.parse(await readFile(blob(tools1.manifest.digest), "utf8"));
      for (const { digest } of [tools1.manifest, config, ...tools1.layers]) {
        const { mtime } = await stat(blob(digest));
        await utimes(blob(digest), new Date(Date.now() - 90 * 86_400_000), mtime);
      }
      for (const file of await readdir(join(cache, ".mote", "tags"))) {
        await utimes(join(cache, ".mote", "tags", file), new Date(0), new Date(0));
      }
      const plan = await ok("prune", "--older-than", "30d", "--dry-run");
      expect(plan).toMatch(new RegExp(`^${name("lib/tools:1")} +8\\.\\d+ kB +\\d+ \\w+ +unused for 30d$`, "m"));
      expect(plan).toContain("would remove 3 motes");
      await stat(blob(tools1.manifest.digest));
      const done = await document("prune", "--older-than", "30d");
      expect(done.removed.map(({ reason }: { reason: string }) => reason)).toEqual(["age", "age", "age"]);
      const types = [tools1.manifest, config, ...tools1.layers].map(({ mediaType }) => mediaType);
      const removedTypes = done.removed.map(({ mediaType }: { mediaType: string }) => mediaType);
      for (const type of removedTypes) expect(types).toContain(type);
      expect(removedTypes).toContain(tools1.manifest.mediaType);
      const kept = await mote("prune", "--max-size", "0", "--keep-newer-than", "1h", "--json");
      expect(kept.status).toBe(1);
      expect(JSON.parse(kept.stdout)).toMatchObject({ removed: [], reached: false });
      expect((await mote("prune")).status).toBe(2);
    });

    it("verify finds damage in the named images, and --repair re-downloads only that", async () => {
      const [layer, other] = [tools1.layers[1]?.digest ?? "", tools2.layers[1]?.digest ?? ""];
      for (const digest of [layer, other]) {
        await chmod(blob(digest), 0o644);
        await truncate(blob(digest), 10);
      }
      const before = (await origin.registry.requests()).length;
      const ended = await mote("verify", "tools:1", "--json", "--repair");
      expect(ended.status).toBe(0);
      expect(JSON.parse(ended.stdout)).toMatchObject({ repaired: [layer], incomplete: [] });
      const blobs = (await origin.registry.requests()).slice(before).filter((line) => line.includes("/blobs/"));
      expect(blobs).toEqual([`GET /v2/lib/tools/blobs/${layer}`]);
      const all = await mote("verify");
      expect(all.status).toBe(1);
      expect(all.stdout).toContain(`damaged ${other}`);
      expect(all.stdout).toContain(name("lib/tools:2"));
      // The blob was quarantined before, so it is not damaged again, but an image lacks it.
      const incomplete = await mote("verify", "--json");
      expect([incomplete.status, JSON.parse(incomplete.stdout)]).toMatchObject([
        1,
        { damaged: [], incomplete: [name("lib/tools:2")] },
      ]);
      expect(await ok("ls", "tools:2")).toContain("incomplete");
      expect(await ok("verify", "--repair")).toContain("all verified");
      expect((await stat(blob(other))).size).toBe(9_000);
    });

    it("verify --repair re-downloads a damaged manifest and index", async () => {
      for (const digest of [index.digest, tools1.manifest.digest]) {
        await chmod(blob(digest), 0o644);
        await truncate(blob(digest), 10);
      }
      const ended = await mote("verify", "--repair", "--json");
      expect(JSON.parse(ended.stdout)).toMatchObject({ incomplete: [] });
      expect(JSON.parse(ended.stdout).repaired.sort()).toEqual([index.digest, tools1.manifest.digest].sort());
      expect(ended.status).toBe(0);
    });
  },
);
