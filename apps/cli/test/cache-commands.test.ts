import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { type Descriptor, type Digest, digestBytes, mediaTypes } from "@mote/core";
import { needs } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FilledCache, ImageOrigin, type PushedImage } from "./filled-cache.js";
import { type Ended, runMote } from "./run-mote.js";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(`commands on a cache that was filled from docker-registry${wanted}`, () => {
  let origin: ImageOrigin;
  let filled: FilledCache;
  let tools1: PushedImage;
  let index: Descriptor;
  let arm: PushedImage;
  let signature: Descriptor;
  let cache: string;
  let loose: string;

  const mote = (...args: string[]) => filled.mote(...args);
  const ok = (...args: string[]) => filled.ok(...args);
  const document = async (...args: string[]) => JSON.parse(await ok(...args, "--json"));
  const codeOf = ({ stderr }: Ended) => JSON.parse(stderr).error.code;
  const blob = (digest: string) => filled.blob(digest);
  const name = (tail: string) => origin.name(tail);
  const short = (digest: Digest) => digest.slice(0, 19);

  beforeAll(async () => {
    origin = await ImageOrigin.start();
    ({ tools1, index, arm, signature } = origin.images);
  });

  afterAll(() => origin?.stop());

  beforeEach(async () => {
    filled = await origin.fill();
    ({ dir: cache, loose } = filled);
  });

  it("a transfer ends with a reference that other commands accept, also under --json", async () => {
    const last = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";
    const from = `docker://${name("lib/tools:1")}`;
    for (const [to, args] of [
      [`oci:${origin.dir}/pasted:1`, []],
      [`docker://${name("lib/pasted:1")}`, []],
      [undefined, []],
      [undefined, ["--quiet"]],
      [`oci:${origin.dir}/pasted:2`, ["--quiet"]],
    ] as const) {
      const words = ["pull", from, ...(to === undefined ? [] : [to])];
      const line = last(await ok(...words, ...args));
      expect(line).toBe(`${to ?? name("lib/tools:1")}@${tools1.manifest.digest}`);
      const { refs } = await document(...words);
      expect(refs[0].reference).toBe(line);
      const again = await document("copy", line, `oci:${origin.dir}/again:1`);
      expect(again.refs[0].descriptor.digest).toBe(tools1.manifest.digest);
    }
  });

  it("a transfer reports what was read and what was written", async () => {
    const from = `docker://${name("lib/tools:1")}`;
    const told = (text: string) => text.split("\n").slice(0, 2);
    const all = String.raw`38\.\d kB \(3 blobs\)`;
    filled = new FilledCache(join(origin.dir, "told"));
    expect(told(await ok("copy", from, `oci-archive:${origin.dir}/cold.tar:1`))).toEqual([
      expect.stringMatching(`^fetched ${all} in `),
      expect.stringMatching(`^sent ${all} → oci-archive:`),
    ]);
    expect(told(await ok("copy", from, `dir:${origin.dir}/warm`))).toEqual([
      expect.stringMatching(`^fetched nothing, ${all} from the cache in `),
      expect.stringMatching(`^linked ${all} → dir:`),
    ]);
    for (const how of ["mounted", "already present"]) {
      expect(told(await ok("copy", from, `docker://${name("lib/told:1")}`))).toEqual([
        expect.stringMatching("^fetched nothing in "),
        expect.stringMatching(`^${how} ${all} → docker:`),
      ]);
    }
  });

  it("copy uses the platform of the settings or of --platform, and all with --all-platforms", async () => {
    const from = `docker://${name("team/app:1")}`;
    const copied = async (to: string, ...options: string[]) => {
      const layout = join(origin.dir, to);
      const args = ["copy", from, `oci:${layout}:1`, ...options, "--cache", cache, "--json"];
      const ended = await runMote(args, { env: { MOTE_PLATFORM: "linux/amd64" } });
      return ended.status === 0 ? JSON.parse(ended.stdout).refs[0].descriptor.digest : codeOf(ended);
    };
    expect(await copied("all", "--all-platforms")).toBe(index.digest);
    expect(await copied("arm", "--platform", "linux/arm64")).toBe(arm.manifest.digest);
    expect([index.digest, arm.manifest.digest]).not.toContain(await copied("settings"));
    expect(await copied("both", "--platform", "linux/arm64", "--all-platforms")).toBe("MOTE_USAGE");
  });

  it("ls shows a line for each name with the size of the complete image, and unreferenced blobs", async () => {
    const lines = (await ok("ls")).trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(
      new RegExp(`^${name("lib/tools:1")} +${short(tools1.manifest.digest)} +image +38\\.\\d kB`),
    );
    expect(lines.find((line) => line.startsWith(name("team/app:1")))).toContain(" index ");
    expect(lines.find((line) => line.startsWith(`for ${name("team/app:1")}`))).toContain(short(signature.digest));
    expect(lines.find((line) => line.includes(loose.slice(0, 19)))).toMatch(/^- .* blob +17 B/);
  });

  it("ls filters and sorts, and --all names the images that contain each mote", async () => {
    const names = async (...args: string[]) =>
      (await ok("ls", ...args))
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0]);
    expect(await names("tools:*", "--sort", "size")).toEqual([name("lib/tools:2"), name("lib/tools:1")]);
    expect(await names("tools:*", "--sort", "size", "--reverse")).toEqual([name("lib/tools:1"), name("lib/tools:2")]);
    expect(await names("--tagged", "--kind", "index")).toEqual([name("team/app:1")]);
    expect(await ok("ls", "--larger-than", "1GB")).toBe("");
    expect(await ok("ls", "--older-than", "30d")).toBe("");
    const base = tools1.layers[0]?.digest ?? "";
    const all = (await ok("ls", "--all", "--kind", "layer", "--larger-than", "29kB")).trimEnd().split("\n");
    expect(all).toHaveLength(1);
    expect(all[0]).toMatch(new RegExp(`^in ${name("lib/tools:1")} \\+2 +${base.slice(0, 19)}`));
    for (const wrong of [
      ["--sort", "colour"],
      ["--kind", "fish"],
      ["--larger-than", "much"],
      ["--tagged", "--untagged"],
    ]) {
      expect((await mote("ls", ...wrong)).status).toBe(2);
    }
  });

  it("ls --json lists all details of every mote", async () => {
    await ok("verify");
    const motes = await document("ls");
    const manifest = motes.find(({ digest }: { digest: string }) => digest === tools1.manifest.digest);
    expect(manifest).toMatchObject({
      kind: "image",
      tags: [name("lib/tools:1")],
      pinned: false,
      verified: true,
      missing: 0,
    });
    expect(manifest.totalBytes).toBeGreaterThan(38_000);
    expect(manifest.usedMs).toBeGreaterThan(Date.now() - 600_000);
    const layer = motes.find(({ digest }: { digest: string }) => digest === tools1.layers[0]?.digest);
    expect(layer).toMatchObject({ kind: "layer", size: 30_000, mediaType: mediaTypes.ociLayerGzip });
    expect(layer.referredBy).toHaveLength(3);
    expect(motes.length).toBe((await readdir(join(cache, "blobs", "sha256"))).length);
  });

  it("read-only commands create no directory", async () => {
    const absent = join(origin.dir, "absent");
    for (const args of [["ls"], ["du"], ["locate", loose]]) {
      expect([args, (await runMote([...args, "--cache", absent])).stdout]).toEqual([
        args,
        args[0] === "du" ? `0 B in 0 motes  ${absent}\n` : "",
      ]);
    }
    await expect(stat(absent)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("du shows unshared and shared space, and counts shared content once in the total", async () => {
    const usage = await document("du");
    const files = await readdir(join(cache, "blobs", "sha256"));
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(cache, "blobs", "sha256", file))).size));
    expect(usage).toMatchObject({ dir: cache, motes: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) });
    expect(usage.loose).toEqual({ motes: 1, bytes: 17 });
    const [host] = usage.registries;
    expect(host.registry).toBe(origin.registry.host);
    const tools = host.repositories.find(({ repository }: { repository: string }) => repository === "lib/tools");
    expect(tools.bytes - tools.unsharedBytes).toBe(30_000);
    expect(tools.images.map(({ tags }: { tags: string[] }) => tags)).toEqual([["2"], ["1"]]);
    const lines = (await ok("du")).trimEnd().split("\n");
    expect(
      lines.some((line) => /^ *39\.\d kB +9\.\d+ kB +30\.0 kB +lib\/tools$/.test(line) || line.includes("lib/tools")),
    ).toBe(true);
    expect(lines.at(-1)).toContain(cache);
    expect((await ok("du", "--by", "registry")).split("\n").filter((line) => line.includes("lib/tools"))).toEqual([]);
    expect((await mote("du", "--by", "planet")).status).toBe(2);
  });

  it("info of an index shows its tree: platforms, configs, layers, referrers, and what is not cached", async () => {
    await rm(blob(arm.layers[0]?.digest ?? ""));
    const lines = (await ok("info", "app:1")).split("\n");
    expect(lines).toContain(`digest      ${index.digest}`);
    const tree = lines.slice(lines.indexOf("") + 1);
    expect(tree[0]).toMatch(/^index /);
    expect(tree.some((line) => /^├─ linux\/amd64 /.test(line))).toBe(true);
    expect(tree.some((line) => /^├─ linux\/arm64\/v8 /.test(line))).toBe(true);
    expect(tree.find((line) => line.includes(short(arm.layers[0]?.digest as Digest)))).toContain("not cached");
    expect(tree.some((line) => /^└─ referrer .*application\/vnd\.acme\.sig/.test(line))).toBe(true);
    const { tree: root } = await document("info", index.digest);
    expect(root.children.map(({ role }: { role: string }) => role)).toEqual([
      "linux/amd64",
      "linux/arm64/v8",
      "referrer",
    ]);
    expect(root.children[1].children.map(({ kept }: { kept: boolean }) => kept)).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
  });

  it("info of a layer shows the images that contain it, where it was seen, and whether it is verified", async () => {
    const layer = tools1.layers[0]?.digest ?? "";
    const text = await ok("info", short(layer as Digest));
    expect(text).toContain(`part of     ${name("lib/tools:1")}\n`);
    expect(text).toContain(`seen at     docker://${name("lib/tools")}`);
    await ok("verify", layer);
    expect(await document("info", layer)).toMatchObject({ kind: "layer", verified: true, path: blob(layer) });
    await utimes(blob(layer), new Date(), new Date());
    expect(await document("info", layer)).toMatchObject({ verified: false });
    expect(await ok("info", layer)).toMatch(/^verified +no; it is hashed on use$/m);
    expect(await ok("info", "tools:1")).toMatch(/^version +1\.0\.0$/m);
  });

  it("locate shows the file, the locations with their age, and whether a mount is possible", async () => {
    const layer = tools1.layers[1]?.digest ?? "";
    const known = await document("locate", layer, "--for", `docker://${name("other/app")}`);
    expect(known).toMatchObject({ digest: layer, path: blob(layer), otherForms: [] });
    expect(known.places).toMatchObject([{ location: `docker://${name("lib/tools")}`, verdict: "mount" }]);
    expect(known.places[0].seenMs).toBeGreaterThan(Date.now() - 600_000);
    expect(await ok("locate", layer, "--for", `docker://${name("other/app")}`)).toContain("can mount it from");
    expect(await ok("locate", layer, "--for", `docker://${name("lib/tools")}`)).toContain("no upload needed");
    expect(await ok("locate", layer, "--for", "docker://elsewhere.example/app")).toContain(
      "upload needed: no repository",
    );
  });

  it("cat writes the content for a name, a reference or a digest prefix", async () => {
    for (const text of ["tools:1", `docker://${name("lib/tools:1")}`, tools1.manifest.digest.slice(7, 19)]) {
      expect(digestBytes(new TextEncoder().encode(await ok("cat", text)))).toBe(tools1.manifest.digest);
    }
    expect(codeOf(await mote("cat", "app", "--json"))).toBe("MOTE_NOT_FOUND");
  });
});
