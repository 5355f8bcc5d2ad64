import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Digest, digestBytes, mediaTypes, parseManifest } from "@mote/core";
import { builtInEncoders, deltaArtifactType, parseDelta } from "@mote/delta";
import { type RegistryKind, registryKinds, type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type DeltaProgress, type OpenMote, openMote } from "../src/index.js";
import { type Logins, useOwnLogins } from "./registries/bench.js";
import {
  app,
  type BuiltImage,
  type BuiltLayer,
  base,
  bytesFrom,
  data,
  encodedLayer,
  type Files,
  imageOf,
  newApp,
  tarOf,
  twoVersions,
} from "./versions.js";

const root = mkdtempSync(join(tmpdir(), "mote-delta-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = () => mkdtempSync(join(root, "dir-"));

const encoders = builtInEncoders();
afterAll(() => encoders[Symbol.asyncDispose]());

const layerOf = (files: Files): Promise<BuiltLayer> => encodedLayer(files, encoders.list);

let old: BuiltImage;
let next: BuiltImage;

beforeAll(async () => {
  ({ old, next } = await twoVersions(encoders.list));
});

let logins: Logins;
beforeAll(async () => {
  logins = await useOwnLogins();
  return () => logins[Symbol.asyncDispose]();
});

let registry: SimulatedRegistry;
const asSpecified: RegistryKind = { name: "as specified", behaviours: [], lacks: {} };

async function start(kind = asSpecified): Promise<SimulatedRegistry> {
  const started = await startSimulatedRegistry(kind);
  if (kind.login !== undefined) logins.add(started.host, kind.login);
  return started;
}

beforeEach(async () => {
  registry = await start();
  return () => registry[Symbol.asyncDispose]();
});

function add(image: BuiltImage, tag: string, repository = "team/app"): Digest {
  for (const blob of image.blobs) registry.repositories.addBlob(repository, blob);
  const { bytes, descriptor } = image.manifest;
  registry.repositories.addManifest(repository, bytes, descriptor.mediaType, tag);
  return descriptor.digest;
}

const reference = (tag: string, repository = "team/app") => `${registry.host}/${repository}:${tag}`;

/** Makes the delta of the two images and pushes it beside them. */
async function pushDelta(repository = "team/app") {
  add(old, "1", repository);
  add(next, "2", repository);
  await using mote = await openMote({ dir: newFolder() });
  return await mote.delta(
    reference("1", repository),
    reference("2", repository),
    `docker://${registry.host}/${repository}`,
  );
}

/** Opens a cache that has the old image. */
async function withOld(dir = newFolder()): Promise<OpenMote> {
  const mote = await openMote({ dir });
  await mote.pull(reference("1"));
  registry.requests.length = 0;
  return mote;
}

function expectComplete(mote: OpenMote, image: Pick<BuiltImage, "blobs">): void {
  for (const bytes of image.blobs) {
    expect(readFileSync(mote.cache.moteRef(digestBytes(bytes))).equals(bytes)).toBe(true);
  }
}

/** Returns the blobs of the new image of which more than the start was requested. */
function fetchedLayers(): readonly string[] {
  const layers = next.blobs.slice(1).map((bytes) => digestBytes(bytes));
  const fetched = registry.requests.filter(({ method, headers }) => method === "GET" && headers.range === undefined);
  return layers.filter((digest) => fetched.some(({ url }) => url.pathname.endsWith(digest)));
}

describe("a delta", () => {
  it("states how each layer of the new image is made, and what that costs", async () => {
    const { deltas, ...report } = await pushDelta();
    expect(report).toMatchObject({ withoutOld: [], unchanged: [], warnings: [] });
    const [delta] = deltas;
    const [same, changed, compressed] = next.blobs.slice(1).map((bytes) => digestBytes(bytes));
    expect(delta).toMatchObject({
      platform: "linux/amd64",
      source: old.manifest.descriptor.digest,
      subject: next.manifest.descriptor.digest,
      reference: `docker://${registry.host}/team/app@${delta?.digest}`,
      layers: [
        { digest: same, how: "stored" },
        { digest: changed, how: "patched", encoder: "gzip:go1.26-6" },
        { digest: compressed, how: "encoded", encoder: "gzip:go1.26-6" },
      ],
    });
    const { deltaBytes = 0, newBytes = 0 } = delta ?? {};
    expect(deltaBytes).toBeLessThan(newBytes / 10);
    const stored = registry.repositories.manifest("team/app", delta?.digest ?? "");
    const bytes = stored?.bytes ?? new Uint8Array();
    expect(parseManifest(bytes)).toMatchObject({
      artifactType: deltaArtifactType,
      subject: { digest: delta?.subject },
    });
    const { recipes, reused } = parseDelta(bytes);
    expect(recipes.map(({ layer }) => layer)).toEqual([changed, compressed]);
    expect(reused.map(({ digest }) => digest)).toEqual([same, compressed]);
  });

  it("leaves out layers that no encoder makes, and of which a diff is not smaller", async () => {
    const noise: Files = { "bin/other": bytesFrom("something else", 400_000) };
    const odd = tarOf(newApp);
    add(old, "1");
    const bytes = gzipSync(odd, { memLevel: 1 });
    const image = imageOf([{ tar: odd, bytes }, await layerOf(noise)]);
    add(image, "2");
    await using mote = await openMote({ dir: newFolder() });
    const progress: DeltaProgress[] = [];
    const onProgress = (now: DeltaProgress) => progress.push(now);
    const { deltas } = await mote.delta(reference("1"), reference("2"), undefined, { onProgress });
    const { totalBytes = 0 } = progress[0] ?? {};
    expect(progress.at(-1)).toEqual({ done: 2, layers: 2, bytes: totalBytes, totalBytes });
    expect(progress.map(({ bytes }) => bytes)).toEqual(progress.map(({ bytes }) => bytes).sort((a, b) => a - b));
    expect(new Set(progress.map(({ bytes }) => bytes)).size).toBeGreaterThan(4);
    expect(deltas[0]?.layers).toMatchObject([
      { how: "fetched", reason: "no encoder reproduces it" },
      expect.objectContaining({ size: image.blobs[2]?.byteLength }),
    ]);
    const fetched = deltas[0]?.layers.filter(({ how }) => how === "fetched") ?? [];
    expect(deltas[0]?.deltaBytes).toBeGreaterThanOrEqual(fetched.reduce((sum, { size }) => sum + size, 0));
  });

  it("leaves out layers whose content is damaged or very much larger than they are", async () => {
    const zeroes = new Uint8Array(40 * 1024 * 1024);
    const whole = gzipSync(tarOf(newApp));
    add(old, "1");
    add(
      imageOf([
        { tar: zeroes, bytes: gzipSync(zeroes) },
        { tar: tarOf(newApp), bytes: whole.subarray(0, whole.byteLength - 1000) },
      ]),
      "2",
    );
    await using mote = await openMote({ dir: newFolder() });
    const { deltas } = await mote.delta(reference("1"), reference("2"));
    expect(deltas[0]?.layers).toMatchObject([
      { how: "fetched", reason: expect.stringMatching(/^the content of .* has more than/) },
      { how: "fetched", reason: expect.stringMatching(/damaged|cut off|truncated/) },
    ]);
  });

  it("fetches what is not stored if the old image has foreign layers, which a pull leaves out", async () => {
    const image = imageOf([await layerOf(base), await layerOf(app)]);
    const manifest = JSON.parse(Buffer.from(image.manifest.bytes).toString());
    Object.assign(manifest.layers[1], {
      mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      urls: ["https://elsewhere.example/layer"],
    });
    add({ ...image, manifest: { ...image.manifest, bytes: Buffer.from(JSON.stringify(manifest)) } }, "1");
    add(imageOf([await layerOf(base), await layerOf(newApp)]), "2");
    await using mote = await openMote({ dir: newFolder() });
    const { deltas } = await mote.delta(reference("1"), reference("2"));
    const reason = "the old image has foreign layers";
    expect(deltas[0]?.layers).toMatchObject([{ how: "stored" }, { how: "fetched", reason }]);
  });

  it("gets a name in the cache without a destination, and can be copied from there to a layout", async () => {
    add(old, "1");
    add(next, "2");
    await using mote = await openMote({ dir: newFolder() });
    const { deltas } = await mote.delta(reference("1"), reference("2"));
    const [delta] = deltas;
    const name = `${registry.host}/team/app:${delta?.subject.replace(":", "-")}.delta-${delta?.source.slice(7, 19)}`;
    expect(delta?.reference).toBe(name);
    expect(await mote.tags.resolve(name)).toMatchObject({ digest: delta?.digest });
    const dir = join(newFolder(), "layout");
    const { refs } = await mote.copy(delta?.digest ?? "", `oci:${dir}:delta`);
    expect(refs[0]?.descriptor.digest).toBe(delta?.digest);
  });

  it("is written into an archive, from images of layouts", async () => {
    add(old, "1");
    add(next, "2");
    const dir = newFolder();
    await using mote = await openMote({ dir: newFolder() });
    await mote.pull(reference("1"), `oci:${dir}/images:1`);
    await mote.pull(reference("2"), `oci:${dir}/images:2`);
    const archive = `oci-archive:${dir}/delta.tar:delta`;
    const { deltas } = await mote.delta(`oci:${dir}/images:1`, `oci:${dir}/images:2`, archive);
    const inspected = await mote.inspect(archive);
    expect(inspected.digest).toBe(deltas[0]?.digest);
  });

  it("is made for each platform of an index, or for those that are selected", async () => {
    const indexOf = (images: readonly BuiltImage[]) => {
      for (const image of images) add(image, image.manifest.descriptor.digest.slice(7));
      const manifests = images.map(({ manifest }, at) => ({
        ...manifest.descriptor,
        platform: { os: "linux", architecture: ["amd64", "arm64", "s390x"][at] },
      }));
      return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
    };
    const [before, after] = [[await layerOf(app)], [await layerOf(newApp)]];
    const oldIndex = indexOf([imageOf(before), imageOf(before, "arm64")]);
    const newIndex = indexOf([imageOf(after), imageOf(after, "arm64"), imageOf(after, "s390x")]);
    registry.repositories.addManifest("team/app", oldIndex, mediaTypes.ociIndex, "1");
    registry.repositories.addManifest("team/app", newIndex, mediaTypes.ociIndex, "2");
    await using mote = await openMote({ dir: newFolder() });
    const all = await mote.delta(reference("1"), reference("2"));
    expect(all.deltas.map(({ platform }) => platform)).toEqual(["linux/amd64", "linux/arm64"]);
    expect(all.withoutOld).toEqual(["linux/s390x"]);
    expect(new Set(all.deltas.map(({ reference }) => reference)).size).toBe(2);
    const one = await mote.delta(reference("1"), reference("2"), undefined, { platform: "linux/arm64" });
    expect(one.deltas).toMatchObject([{ platform: "linux/arm64" }]);
    const tagged = mote.delta(reference("1"), reference("2"), `oci:${newFolder()}/x:one`);
    await expect(tagged).rejects.toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
  });

  it("is not made of images of other platforms, of the same image, or of what is not an image", async () => {
    add(old, "1");
    const arm = imageOf([await layerOf(app)], "arm64");
    const manifests = [
      { ...arm.manifest.descriptor, platform: { os: "linux", architecture: "arm64" } },
      {
        ...imageOf([await layerOf(data)], "s390x").manifest.descriptor,
        platform: { os: "linux", architecture: "s390x" },
      },
    ];
    add(arm, "arm");
    add(imageOf([await layerOf(data)], "s390x"), "s390x");
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
    registry.repositories.addManifest("team/app", index, mediaTypes.ociIndex, "2");
    await using mote = await openMote({ dir: newFolder() });
    await expect(mote.delta(reference("1"), reference("2"))).rejects.toMatchObject({ code: "MOTE_NO_PLATFORM" });
    expect(await mote.delta(reference("1"), reference("1"))).toMatchObject({
      deltas: [],
      unchanged: [old.manifest.descriptor.digest],
    });
    const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType: "application/vnd.acme.thing" };
    const empty = { mediaType: mediaTypes.ociEmpty, digest: digestBytes(Buffer.from("{}")), size: 2 };
    registry.repositories.addBlob("team/app", Buffer.from("{}"));
    const artifact = Buffer.from(JSON.stringify({ ...body, config: empty, layers: [empty] }));
    registry.repositories.addManifest("team/app", artifact, mediaTypes.ociManifest, "3");
    await expect(mote.delta(reference("1"), reference("3"))).rejects.toMatchObject({ code: "MOTE_INVALID_MANIFEST" });
  });
});

describe("a pull where the old image is stored", () => {
  it.each(registryKinds.filter(({ name }) => ["zot", "Docker Hub", "Quay", "Distribution 2"].includes(name)))(
    "makes the layers of the new image under their own digests, from the delta that $name lists",
    async (kind) => {
      await registry[Symbol.asyncDispose]();
      registry = await start(kind);
      await pushDelta();
      await using mote = await withOld();
      const events: string[] = [];
      const onEvent = ({ type }: { readonly type: string }) => events.push(type);
      const report = await mote.pull(reference("2"), undefined, { delta: "always", onEvent });
      expect(report.warnings).toEqual([]);
      expect(report.rebuilt.count).toBe(2);
      expect(fetchedLayers()).toEqual([]);
      expectComplete(mote, next);
      const layers = next.blobs.slice(2).reduce((sum, { byteLength }) => sum + byteLength, 0);
      const config = next.blobs[0]?.byteLength ?? 0;
      // What was fetched of the delta was not saved.
      expect(report.rebuilt.bytes + report.fetched.bytes).toBe(layers + config);
      expect(report.fetched.bytes).toBeLessThan(layers / 10);
      expect(events.filter((type) => type === "rebuild")).toHaveLength(2);
    },
  );

  it("makes them by digest, for a registry, with several platforms, and for many images at once", async () => {
    await pushDelta();
    const digest = next.manifest.descriptor.digest;
    const runs: Readonly<Record<string, (mote: OpenMote, to: string) => Promise<unknown>>> = {
      "by digest": (mote) => mote.pull(`${registry.host}/team/app@${digest}`, undefined, { delta: "always" }),
      "to a registry": (mote, to) => mote.copy(reference("2"), `${to}/app:2`, { delta: "always" }),
      "several platforms": (mote, to) =>
        mote.copy(reference("2"), `${to}/app:2`, { delta: "always", platform: ["linux/amd64", "linux/amd64"] }),
      "many images": (mote, to) => mote.sync({ list: reference("2") }, to, { delta: "always" }),
    };
    for (const [title, run] of Object.entries(runs)) {
      await using mote = await withOld();
      // Within one registry, blobs are mounted.
      await using target = await start();
      await run(mote, `docker://${target.host}/mirror`);
      expect([title, fetchedLayers()]).toEqual([title, []]);
      expectComplete(mote, next);
    }
  });

  it("makes a layer that is known only by its digest", async () => {
    await pushDelta();
    await using mote = await withOld();
    // So that the location of the digest is known.
    await mote.inspect(reference("2"));
    await mote.pull(reference("2"), undefined, { delta: "never" });
    for (const bytes of next.blobs.slice(2)) await mote.cache.removeMote(digestBytes(bytes));
    registry.requests.length = 0;
    const report = await mote.pull(next.manifest.descriptor.digest, undefined, { delta: "always" });
    expect(report).toMatchObject({ rebuilt: { count: 2 }, warnings: [] });
    expect(fetchedLayers()).toEqual([]);
  });

  it("fetches them if that is requested, and from loopback, which is faster", async () => {
    await pushDelta();
    for (const delta of ["never", "auto"] as const) {
      await using mote = await withOld();
      const report = await mote.pull(reference("2"), undefined, { delta });
      expect(report).toMatchObject({ rebuilt: { count: 0 }, warnings: [] });
      expect(registry.requests.filter(({ route }) => route.kind === "referrers")).toEqual([]);
      expectComplete(mote, next);
    }
  });

  it("requests no delta if the cache is empty or has everything", async () => {
    await pushDelta();
    await using mote = await openMote({ dir: newFolder() });
    await mote.pull(reference("2"), undefined, { delta: "always" });
    await mote.pull(reference("2"), undefined, { delta: "always" });
    expect(
      registry.requests.filter(({ route, method }) => route.kind === "referrers" && method === "GET"),
    ).toHaveLength(1);
  });

  it("uses the smallest of several deltas, of those whose old image is stored", async () => {
    await pushDelta();
    const closerApp = { ...newApp, "etc/app.conf": Buffer.from("version 3\n") };
    const closer = imageOf([await layerOf(base), await layerOf(closerApp), await layerOf(data)]);
    add(closer, "1.5");
    await using maker = await openMote({ dir: newFolder() });
    const { deltas } = await maker.delta(reference("1.5"), reference("2"), `docker://${registry.host}/team/app`);
    await using mote = await withOld();
    await mote.pull(reference("1.5"));
    registry.requests.length = 0;
    await mote.pull(reference("2"), undefined, { delta: "always" });
    const used = registry.repositories.manifest("team/app", deltas[0]?.digest ?? "")?.bytes ?? new Uint8Array();
    const [diff] = parseDelta(used).recipes.flatMap((recipe) => recipe.diff?.digest ?? []);
    expect(registry.requests.some(({ url }) => url.pathname.endsWith(diff ?? "none"))).toBe(true);
    expectComplete(mote, next);
  });

  it("makes each layer once if several transfers need it at the same time", async () => {
    await pushDelta();
    const dir = newFolder();
    await using mote = await withOld(dir);
    await using other = await openMote({ dir });
    const pulls = [mote, other].map((each) => each.pull(reference("2"), undefined, { delta: "always" }));
    const reports = await Promise.all(pulls);
    expect(reports.flatMap(({ warnings }) => warnings)).toEqual([]);
    expect(fetchedLayers()).toEqual([]);
    expectComplete(mote, next);
    const { deltas } = await mote.delta(reference("1"), reference("2"));
    const diffs = deltas.flatMap(({ layers }) => layers.flatMap(({ diffBytes }) => diffBytes ?? []));
    expect(diffs).toHaveLength(1);
    const blobs = registry.requests.filter(({ route, method, headers }) => {
      return route.kind === "blob" && method === "GET" && headers.range === undefined;
    });
    // The diff, and the config.
    expect(new Set(blobs.map(({ url }) => url.pathname)).size).toBe(blobs.length);
  });

  it("makes a layer of the old image's content in another compression, if its own layer was removed", async () => {
    await pushDelta();
    const recompressed = imageOf([{ tar: tarOf(app), bytes: gzipSync(tarOf(app), { level: 1 }) }]);
    add(recompressed, "1-other");
    await using mote = await withOld();
    await mote.pull(reference("1-other"));
    await mote.cache.removeMote(digestBytes(old.blobs[2] ?? new Uint8Array()));
    const report = await mote.pull(reference("2"), undefined, { delta: "always" });
    expect(report).toMatchObject({ rebuilt: { count: 2 }, warnings: [] });
  });
});

describe("a pull with a delta that is wrong", () => {
  /** Changes the manifest of the delta in the registry. */
  function changeDelta(digest: Digest, change: (body: ReturnType<typeof JSON.parse>) => void): void {
    const repository = registry.repositories.get("team/app");
    const body = JSON.parse(new TextDecoder().decode(repository.manifests.get(digest)?.bytes));
    repository.manifests.delete(digest);
    change(body);
    registry.repositories.addManifest("team/app", Buffer.from(JSON.stringify(body)), mediaTypes.ociManifest);
  }
  const replaceDiff = (body: ReturnType<typeof JSON.parse>, bytes: Uint8Array) => {
    const digest = registry.repositories.addBlob("team/app", bytes);
    Object.assign(body.layers[2], { digest, size: bytes.byteLength });
  };
  const diffOf = (digest: Digest): string => {
    const manifest = registry.repositories.manifest("team/app", digest);
    return parseDelta(manifest?.bytes ?? new Uint8Array()).recipes[0]?.diff?.digest ?? "";
  };

  it.each<[string, (digest: Digest) => void]>([
    [
      "is for another old image",
      (digest) =>
        changeDelta(digest, ({ annotations }) => {
          annotations["io.github.containers.delta.source"] = digest;
          const [config] = next.blobs;
          annotations["io.github.containers.delta.source-config"] = digestBytes(config ?? new Uint8Array());
        }),
    ],
    ["names an encoder that does not exist", (digest) => changeDelta(digest, rename("gzip:future-6"))],
    ["names another encoder", (digest) => changeDelta(digest, rename("gzip:zlib-1"))],
    ["has the header of another layer", (digest) => changeDelta(digest, reheader)],
    ["is not a diff", (digest) => changeDelta(digest, (body) => replaceDiff(body, Buffer.from("not a diff")))],
    [
      "is cut",
      (digest) => {
        const bytes = registry.repositories.blob(diffOf(digest)) ?? new Uint8Array();
        changeDelta(digest, (body) => replaceDiff(body, bytes.subarray(0, bytes.byteLength >> 1)));
      },
    ],
    [
      "has other bytes than its digest",
      (digest) => {
        const diff = diffOf(digest);
        registry.repositories.addBlob(
          "team/app",
          Buffer.alloc(registry.repositories.blob(diff)?.byteLength ?? 0),
          diff,
        );
      },
    ],
    ["is missing", (digest) => registry.repositories.get("team/app").blobs.delete(diffOf(digest))],
    [
      "has no valid digests",
      (digest) => changeDelta(digest, (body) => (body.layers[2].annotations["io.github.containers.delta.to"] = "x")),
    ],
  ])("fetches the layers with one warning if it %s", async (title, spoil) => {
    const { deltas } = await pushDelta();
    const digest = deltas[0]?.digest;
    if (digest === undefined) throw new Error("no delta was made");
    spoil(digest);
    const logged: string[] = [];
    const silent = () => {};
    const logger = { debug: silent, info: silent, error: silent, warn: (message: string) => logged.push(message) };
    const dir = newFolder();
    await using mote = await openMote({ dir, logger });
    await mote.pull(reference("1"));
    if (title === "is for another old image")
      await mote.cache.removeMote(digestBytes(next.blobs[0] ?? new Uint8Array()));
    const report = await mote.pull(reference("2"), undefined, { delta: "always" });
    expectComplete(mote, next);
    const isUnusable = title === "is for another old image";
    expect(report.warnings).toHaveLength(isUnusable ? 0 : 1);
    expect(logged).toEqual(report.warnings);
    for (const warning of report.warnings) expect(warning).toContain("delta");
  });

  const data = (size: number) => Uint8Array.of(0, ...varint(size));
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) + 128, ...varint(value >> 7)]);
  const [open, copy, seek] = [1, 2, 4];
  /** Returns a tar-diff whose operations are one block, and then zeroes, each of which is compressed into few bytes (RFC 8878, section 3.1.1). */
  function tarDiffOf(block: Uint8Array, zeroBlocks: number, window = 0x58): Uint8Array {
    const head = (size: number, type: number, isLast: boolean) => {
      const value = (size << 3) | (type << 1) | Number(isLast);
      return Uint8Array.of(value & 0xff, (value >> 8) & 0xff, value >> 16);
    };
    const zeroes = Array.from({ length: zeroBlocks }, () => Buffer.concat([head(131_072, 1, false), Uint8Array.of(0)]));
    const start = [Buffer.from("tardf1\n\0"), Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, window)];
    return Buffer.concat([...start, head(block.byteLength, 0, false), block, ...zeroes, head(0, 0, true)]);
  }
  const copies = (times: number): Uint8Array => {
    const path = Buffer.from("bin/app");
    const again = [seek, 0, copy, ...varint(700_000)];
    return Buffer.from([open, path.byteLength, ...path, ...Array.from({ length: times }, () => again).flat()]);
  };

  it.each<[string, RegExp, (body: ReturnType<typeof JSON.parse>) => void]>([
    [
      "has operations without end that make nothing",
      /\d+ operations of a delta do nothing/,
      (body) => replaceDiff(body, tarDiffOf(new Uint8Array(0), 2000)),
    ],
    [
      "stores more than any content",
      /more than \d+ bytes/,
      (body) => replaceDiff(body, tarDiffOf(data(2 ** 30), 4000)),
    ],
    [
      "copies more than any content",
      /more than \d+ bytes|does not match/,
      (body) => replaceDiff(body, tarDiffOf(copies(9000), 0)),
    ],
    ["needs a window of 2 GiB", /window/, (body) => replaceDiff(body, tarDiffOf(copies(1), 0, 0xa8))],
    ["has more bytes than its manifest says", /does not match/, (body) => Object.assign(body.layers[2], { size: 100 })],
    [
      "has fewer bytes than its manifest says",
      /does not match/,
      (body) => Object.assign(body.layers[2], { size: 200_000 }),
    ],
  ])("ends early, fetches the layers and leaves nothing behind if its diff %s", async (_, reason, spoil) => {
    const { deltas } = await pushDelta();
    const [delta] = deltas;
    if (delta === undefined) throw new Error("no delta was made");
    changeDelta(delta.digest, spoil);
    const dir = newFolder();
    await using mote = await withOld(dir);
    const made: number[] = [];
    const report = await mote.pull(reference("2"), undefined, {
      delta: "always",
      onEvent: (event) => event.type === "progress" && made.push(event.bytes - event.size),
    });
    expect(report.warnings).toEqual([expect.stringMatching(reason)]);
    expect(Math.max(...made)).toBeLessThanOrEqual(1024 * 1024);
    expectComplete(mote, next);
    const files = readdirSync(dir, { recursive: true, encoding: "utf8" });
    expect(files.filter((path) => /old-files|ingest\/.+/.test(path))).toEqual([]);
  });

  it("fetches the layers with one warning if a stored layer of the old image is damaged", async () => {
    await pushDelta();
    await using mote = await withOld();
    const path = mote.cache.moteRef(digestBytes(old.blobs[2] ?? new Uint8Array()));
    chmodSync(path, 0o644);
    writeFileSync(path, Buffer.from(old.blobs[2] ?? []).fill(0, 100_000, 100_100));
    const report = await mote.pull(reference("2"), undefined, { delta: "always" });
    expect(report.warnings.filter((warning) => warning.includes("delta"))).toHaveLength(1);
    expectComplete(mote, next);
  });

  it("reads few of many referrers, and no large ones", async () => {
    add(old, "1");
    add(next, "2");
    const annotations = {
      "io.github.containers.delta.source": old.manifest.descriptor.digest,
      "io.github.containers.delta.source-config": digestBytes(old.blobs[0] ?? new Uint8Array()),
    };
    for (let each = 0; each < 40; each++) {
      const padding = each === 0 ? "x".repeat(1_100_000) : String(each);
      const body = {
        ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType: deltaArtifactType },
        config: { mediaType: mediaTypes.ociEmpty, digest: digestBytes(Buffer.from("{}")), size: 2 },
        layers: [],
        subject: next.manifest.descriptor,
        annotations: { ...annotations, padding },
      };
      registry.repositories.addManifest("team/app", Buffer.from(JSON.stringify(body)), mediaTypes.ociManifest);
    }
    await using mote = await withOld();
    await mote.pull(reference("2"), undefined, { delta: "always" });
    const read = registry.requests.filter(({ route, method }) => route.kind === "manifest" && method === "GET");
    expect(read.length).toBeLessThanOrEqual(10);
    expectComplete(mote, next);
  });

  function rename(encoder: string) {
    return (body: ReturnType<typeof JSON.parse>) => {
      for (const layer of body.layers.slice(2)) layer.annotations["mote.delta.encoder"] = encoder;
    };
  }
  function reheader(body: ReturnType<typeof JSON.parse>) {
    for (const layer of body.layers.slice(2)) {
      layer.annotations["mote.delta.gzip-header"] = Buffer.from([31, 139, 8, 0, 1, 2, 3, 4, 0, 7]).toString("base64");
    }
  }
});
