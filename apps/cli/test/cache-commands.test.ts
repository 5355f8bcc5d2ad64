import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, type Digest, digestBytes, type MoteCache, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runMote } from "./run-mote.js";

const wanted = needs("docker-registry");
const json = (body: unknown) => new TextEncoder().encode(JSON.stringify(body));

async function put(cache: MoteCache, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const digest = digestBytes(bytes);
  await writeMote(cache, { digest, mediaType, size: bytes.byteLength }, bytes);
  return { mediaType, digest, size: bytes.byteLength };
}

interface Image {
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
}

async function putImage(cache: MoteCache, layers: readonly Descriptor[], fields: object = {}): Promise<Image> {
  const config = await put(cache, mediaTypes.ociConfig, json({ os: "linux", architecture: "amd64", n: layers.length }));
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, ...fields };
  return { manifest: await put(cache, mediaTypes.ociManifest, json(body)), layers };
}

describe.skipIf(wanted !== "")(`commands on a cache that was filled from docker-registry${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  let tools1: Image;
  let tools2: Image;
  let index: Descriptor;
  let arm: Image;
  let signature: Descriptor;
  let loose: string;
  let cache: string;
  let serial = 0;

  const mote = (...args: string[]) => runMote([...args, "--cache", cache]);
  const ok = async (...args: string[]): Promise<string> => {
    const ended = await mote(...args);
    expect({ args, status: ended.status, stderr: ended.stderr }).toMatchObject({ status: 0 });
    return ended.stdout;
  };
  const document = async (...args: string[]) => JSON.parse(await ok(...args, "--json"));
  const codeOf = ({ stderr }: Ended) => JSON.parse(stderr).error.code;
  const blob = (digest: string) => join(cache, "blobs", "sha256", digest.slice(7));
  const name = (tail: string) => `${registry.host}/${tail}`;
  const short = (digest: Digest) => digest.slice(0, 19);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-commands-"));
    registry = await startDockerRegistry();
    const origin = join(dir, "origin");
    await using from = await openMote({ dir: origin });
    const layer = (size: number) => put(from.cache, mediaTypes.ociLayerGzip, randomBytes(size));
    const base = await layer(30_000);
    const annotations = { "org.opencontainers.image.version": "1.0.0" };
    tools1 = await putImage(from.cache, [base, await layer(8_000)], { annotations });
    tools2 = await putImage(from.cache, [base, await layer(9_000), await layer(1_000)]);
    const amd = await putImage(from.cache, [base]);
    arm = await putImage(from.cache, [await layer(20_000), await layer(1), await layer(2), await layer(3)]);
    const manifests = [
      { ...amd.manifest, platform: { os: "linux", architecture: "amd64" } },
      { ...arm.manifest, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    ];
    index = await put(from.cache, mediaTypes.ociIndex, json({ schemaVersion: 2, manifests }));
    const config = await put(from.cache, mediaTypes.ociEmpty, json({}));
    const layers = [await layer(100)];
    const artifact = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType: "application/vnd.acme.sig" };
    signature = await put(from.cache, mediaTypes.ociManifest, json({ ...artifact, config, layers, subject: index }));
    for (const [tag, descriptor] of Object.entries({
      t1: tools1.manifest,
      t2: tools2.manifest,
      app: index,
      sig: signature,
    })) {
      await from.tags.tag(tag, descriptor);
    }
    const pushed = { t1: "lib/tools:1", t2: "lib/tools:2", app: "team/app:1", sig: "team/app:sig" };
    for (const [tag, to] of Object.entries(pushed)) {
      await runMote(["copy", `oci:${origin}:${tag}`, `docker://${name(to)}`, "--cache", join(dir, "pushing"), "-q"]);
    }
    await writeFile(join(dir, "loose.txt"), "no image has this");
  });

  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** Each test has its own cache: two tags that share a layer, an index with a signature, and a file. */
  beforeEach(async () => {
    cache = join(dir, `cache-${serial++}`);
    for (const each of ["lib/tools:1", "lib/tools:2"]) await ok("pull", `docker://${name(each)}`);
    await ok("pull", `docker://${name("team/app:1")}`, "--with-referrers");
    loose = (await ok("add", join(dir, "loose.txt"))).slice(0, 71);
  });

  it("a transfer ends with a reference that other commands accept, also under --json", async () => {
    const last = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";
    const from = `docker://${name("lib/tools:1")}`;
    for (const [to, args] of [
      [`oci:${dir}/pasted:1`, []],
      [`docker://${name("lib/pasted:1")}`, []],
      [undefined, []],
      [undefined, ["--quiet"]],
      [`oci:${dir}/pasted:2`, ["--quiet"]],
    ] as const) {
      const words = ["pull", from, ...(to === undefined ? [] : [to])];
      const line = last(await ok(...words, ...args));
      expect(line).toBe(`${to ?? name("lib/tools:1")}@${tools1.manifest.digest}`);
      const { refs } = await document(...words);
      expect(refs[0].reference).toBe(line);
      const again = await document("copy", line, `oci:${dir}/again:1`);
      expect(again.refs[0].descriptor.digest).toBe(tools1.manifest.digest);
    }
  });

  it("a transfer reports what was read and what was written", async () => {
    const from = `docker://${name("lib/tools:1")}`;
    const told = (text: string) => text.split("\n").slice(0, 2);
    const all = String.raw`38\.\d kB \(3 blobs\)`;
    cache = join(dir, `told-${serial}`);
    expect(told(await ok("copy", from, `oci-archive:${dir}/cold.tar:1`))).toEqual([
      expect.stringMatching(`^fetched ${all} in `),
      expect.stringMatching(`^sent ${all} → oci-archive:`),
    ]);
    expect(told(await ok("copy", from, `dir:${dir}/warm`))).toEqual([
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
      const layout = join(dir, `${to}-${serial}`);
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
    const absent = join(dir, "absent");
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
    expect(host.registry).toBe(registry.host);
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

  it("pin protects an image from prune, unpin removes the protection, and ls shows it", async () => {
    expect(await document("pin", "app:1")).toEqual([{ digest: index.digest, name: name("team/app:1"), changed: true }]);
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
    const before = (await registry.requests()).length;
    const ended = await mote("verify", "tools:1", "--json", "--repair");
    expect(ended.status).toBe(0);
    expect(JSON.parse(ended.stdout)).toMatchObject({ repaired: [layer], incomplete: [] });
    const blobs = (await registry.requests()).slice(before).filter((line) => line.includes("/blobs/"));
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

  it("cat writes the content for a name, a reference or a digest prefix", async () => {
    for (const text of ["tools:1", `docker://${name("lib/tools:1")}`, tools1.manifest.digest.slice(7, 19)]) {
      expect(digestBytes(new TextEncoder().encode(await ok("cat", text)))).toBe(tools1.manifest.digest);
    }
    expect(codeOf(await mote("cat", "app", "--json"))).toBe("MOTE_NOT_FOUND");
  });
});
