import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, mediaTypes } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { listArchive, type OpenMote, openMote, verifyArchive } from "../src/index.js";
import { type Image, put, putImage, putIndex } from "./images.js";

let dir: string;
let origin: OpenMote;
let mote: OpenMote;
const at = (name: string) => join(dir, name);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-sync-"));
  origin = await openMote({ dir: at("origin") });
  mote = await openMote({ dir: at("cache") });
});

afterEach(async () => {
  await origin.close();
  await mote.close();
  await rm(dir, { recursive: true, force: true });
});

const source = () => `oci:${at("origin")}`;

async function threeImages(): Promise<readonly Image[]> {
  const names = ["example.org/app:1", "example.org/app:2", "example.org/lib:1"];
  const images: Image[] = [];
  for (const [number, name] of names.entries()) {
    images.push(await putImage(origin.cache, [name], { s: 5000, [String(number)]: 100 + number }));
  }
  return images;
}

async function namesIn(path: string): Promise<(string | undefined)[]> {
  return (await listArchive(path)).images.map(({ name }) => name);
}

it("an interrupted run leaves complete images under their names, and no archive", async () => {
  await threeImages();
  for (const to of [`oci:${at("layout")}`, `oci-archive:${at("a.tar")}`]) {
    const controller = new AbortController();
    const stop = new Error("stop");
    const onImage = () => controller.abort(stop);
    const running = mote.sync(source(), to, { signal: controller.signal, imagesAtOnce: 1, onImage });
    await expect(running).rejects.toBe(stop);
  }
  expect(existsSync(at("a.tar"))).toBe(false);
  const { incomplete, images } = await verifyArchive(`oci:${at("layout")}`);
  expect([images, incomplete]).toEqual([1, []]);
  const again = await mote.sync(source(), `oci:${at("layout")}`);
  expect(again.images.map(({ state }) => state).sort()).toEqual(["copied", "copied", "unchanged"]);
});

it("an archive is complete, reproducible, and not written again if it has everything", async () => {
  await threeImages();
  const to = `oci-archive:${at("a.tar")}`;
  const first = await mote.sync(source(), to);
  expect(first).toMatchObject({ failed: 0, blobs: 7 });
  const bytes = await readFile(at("a.tar"));
  const { mtimeMs } = await stat(at("a.tar"));
  const second = await mote.sync(source(), to);
  expect((await stat(at("a.tar"))).mtimeMs).toBe(mtimeMs);
  expect(second.images.map(({ state }) => state)).toEqual(["unchanged", "unchanged", "unchanged"]);
  expect(await verifyArchive(at("a.tar"))).toMatchObject({ images: 3, motes: 10, damaged: [], missing: [] });
  await mote.sync(source(), `oci-archive:${at("b.tar")}`);
  expect((await readFile(at("b.tar"))).equals(bytes)).toBe(true);
});

it("an image whose name no archive can have does not stop the others", async () => {
  const { manifest } = await putImage(origin.cache, ["good:1"], { s: 10 });
  const index = JSON.parse(await readFile(at("origin/index.json"), "utf8"));
  const bad = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "a b" } };
  await writeFile(at("origin/index.json"), JSON.stringify({ ...index, manifests: [...index.manifests, bad] }));
  const report = await mote.sync(source(), `oci-archive:${at("a.tar")}`);
  expect(report.images.map(({ error }) => error?.code)).toEqual([undefined, "MOTE_INVALID_NAME"]);
  expect(await namesIn(at("a.tar"))).toEqual(["good:1"]);
});

it.skipIf(!existsSync("/dev/full"))(
  "an archive that cannot be written is a report in which each image has failed",
  async () => {
    await threeImages();
    const report = await mote.sync(source(), "oci-archive:/dev/full");
    expect(report.images.map(({ state, error }) => [state, error?.code])).toEqual(
      Array.from({ length: 3 }, () => ["failed", "MOTE_NO_SPACE"]),
    );
    expect(report).toMatchObject({ failed: 3, blobs: 0, bytes: 0 });
  },
);

it("a file that is not an archive is replaced only if that is requested", async () => {
  await threeImages();
  await writeFile(at("notes.txt"), "notes");
  const refused = await mote.sync(source(), `oci-archive:${at("notes.txt")}`);
  expect(refused.images.map(({ error }) => error?.code)).toEqual(["MOTE_EXISTS", "MOTE_EXISTS", "MOTE_EXISTS"]);
  expect(await readFile(at("notes.txt"), "utf8")).toBe("notes");
  expect(await mote.sync(source(), `oci-archive:${at("notes.txt")}`, { overwrite: true })).toMatchObject({ failed: 0 });
});

it("an archive in parts is written with all images each time, and its parts cannot be destinations", async () => {
  await threeImages();
  const to = `oci-archive:${at("a.tar")}`;
  await mote.sync(`${source()}:example.org/app:1`, to, { partBytes: 1024 * 1024 });
  const report = await mote.sync(source(), to, { partBytes: 1024 * 1024 });
  expect(report.images.map(({ state }) => state)).toEqual(["copied", "copied", "copied"]);
  const whole = await verifyArchive(at("a.tar.001"));
  expect(whole).toMatchObject({ images: 3, incomplete: [] });
  expect(await mote.sync(source(), to)).toMatchObject({ failed: 0 });
  expect(await verifyArchive(at("a.tar"))).toMatchObject({ images: 3, incomplete: [] });
  await mote.sync(source(), to, { partBytes: 1024 * 1024 });
  for (const part of ["a.tar.001", "a.tar.parts.json"]) {
    const writing = mote.sync(source(), `oci-archive:${at(part)}`);
    await expect(writing).rejects.toMatchObject({ code: "MOTE_INVALID_REFERENCE" });
  }
});

it("what is not in the source is removed from a layout and an archive, but not what others need", async () => {
  const [first, , third] = await threeImages();
  for (const to of [`oci:${at("layout")}`, `oci-archive:${at("a.tar")}`]) {
    await mote.sync(source(), to);
    const list = `# only one\n${source()}:example.org/app:1\n`;
    const report = await mote.sync({ list }, to, { remove: true });
    expect(report.removed.map(({ destination, state }) => [destination.slice(to.length + 1), state])).toEqual([
      ["example.org/app:2", "removed"],
      ["example.org/lib:1", "removed"],
    ]);
    const left = to.replace("oci-archive:", "");
    // A list that lost its images, such as one from a failed script.
    expect(await mote.sync({ list: "# none\n" }, to, { remove: true })).toMatchObject({ images: [], removed: [] });
    expect(await namesIn(left)).toEqual(["example.org/app:1"]);
    expect(await verifyArchive(left)).toMatchObject({ images: 1, motes: 4, incomplete: [] });
  }
  const blob = (image: Image | undefined, layer: number) => {
    const [algorithm = "", encoded = ""] = image?.layers[layer]?.digest.split(":") ?? [];
    return existsSync(join(at("layout"), "blobs", algorithm, encoded));
  };
  // The first layer is shared. The names of layers are in numerical order before letters.
  expect([blob(first, 0), blob(first, 1), blob(third, 0)]).toEqual([true, true, false]);
});

it("a thin archive leaves out what a layout, a list of digests or an export says, and a bad line is named", async () => {
  const images = await threeImages();
  const [shared] = images[0]?.layers.filter(({ size }) => size === 5000) ?? [];
  const { digest = "" } = shared ?? {};
  await writeFile(at("digests.txt"), `# have\n${digest} 5000\n`);
  const fact = { fact: "location", transport: "docker", scope: "Layer", digest, location: "docker://far.example/base" };
  const header = { format: "mote-blob-facts", version: 1 };
  await writeFile(
    at("facts.jsonl"),
    `${JSON.stringify(header)}\n${JSON.stringify({ ...fact, sequence: 1, lastSeenMs: 1 })}\n`,
  );
  for (const have of [at("digests.txt"), at("facts.jsonl")]) {
    await mote.sync(source(), `oci-archive:${at("thin.tar")}`, { without: [have] });
    const { reliesOn } = await listArchive(at("thin.tar"));
    expect([have, reliesOn.map((blob) => blob.digest)]).toEqual([have, [digest]]);
    expect(await verifyArchive(at("thin.tar"))).toMatchObject({ incomplete: [], missing: [] });
    await rm(at("thin.tar"));
  }
  await mote.sync(source(), `oci-archive:${at("thin.tar")}`, { without: [at("origin")] });
  expect((await listArchive(at("thin.tar"))).reliesOn).toHaveLength(7);
  await writeFile(at("bad.txt"), `${digest}\nnot a digest\n`);
  const reading = mote.sync(source(), `oci-archive:${at("b.tar")}`, { without: [at("bad.txt")] });
  await expect(reading).rejects.toMatchObject({ code: "MOTE_INVALID_DIGEST", details: { line: 2 } });

  // The cache has what it relies on.
  await mote.sync(source(), `oci:${at("full")}`);
  expect(await mote.sync(`oci-archive:${at("thin.tar")}`, `oci:${at("back")}`)).toMatchObject({ failed: 0 });
  await using other = await openMote({ dir: at("other") });
  const wrong = await other.sync(`oci-archive:${at("thin.tar")}`, `oci:${at("wrong")}`);
  expect(wrong.failed).toBe(3);
  expect(wrong.images[0]?.error).toMatchObject({
    code: "MOTE_NOT_FOUND",
    details: { missing: expect.arrayContaining([digest]) },
  });
});

it("lines of an export that are not valid are counted, unless none is valid", async () => {
  const [image] = await threeImages();
  const digest = image?.layers[0]?.digest ?? "";
  const location = {
    fact: "location",
    transport: "docker",
    scope: "Layer",
    digest,
    location: "docker://far.example/base",
  };
  const header = { format: "mote-blob-facts", version: 1 };
  const [to, have] = [`oci-archive:${at("thin.tar")}`, at("facts.jsonl")];
  const write = (...lines: unknown[]) =>
    writeFile(have, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  const bad = [
    "cut off {",
    { ...location, digest: "sha256:1" },
    { ...location, location: 1 },
    { fact: "rumour", digest },
    [],
  ];
  await write(header, "", location, ...bad, { fact: "transformer", digest, name: "gzip" });
  expect(await mote.sync(source(), to, { without: [have] })).toMatchObject({
    failed: 0,
    unreadable: [{ path: have, lines: bad.length, firstLine: 4 }],
  });
  expect((await listArchive(at("thin.tar"))).reliesOn.map((blob) => blob.digest)).toEqual([digest]);

  const codeOf = () =>
    mote.sync(source(), to, { without: [have] }).then(
      ({ failed }) => failed,
      (error) => error.code,
    );
  await write({ ...location, digest: "" }, "{");
  expect(await codeOf()).toBe("MOTE_INVALID_FACT");
  await write({ ...header, version: 2 }, location);
  expect(await codeOf()).toBe("MOTE_UNSUPPORTED_FORMAT");
  await write(header);
  expect(await codeOf()).toBe(0);
});

it("several platforms keep their index, and referrers are moved with their image", async () => {
  const [amd, arm] = [await putImage(origin.cache, [], { a: 10 }), await putImage(origin.cache, [], { b: 10 })];
  const entry = ({ manifest }: Image, architecture: string): Descriptor => ({
    ...manifest,
    platform: { os: "linux", architecture },
  });
  const s390x = await putImage(origin.cache, [], { c: 10 });
  const entries = [entry(amd, "amd64"), entry(arm, "arm64"), entry(s390x, "s390x")];
  const index = await putIndex(origin.cache, ["example.org/app:1"], entries);
  const signature = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, subject: index, layers: [] };
  const config = await put(origin.cache, "application/vnd.oci.empty.v1+json", new TextEncoder().encode("{}"));
  const signed = await put(
    origin.cache,
    mediaTypes.ociManifest,
    new TextEncoder().encode(JSON.stringify({ ...signature, config })),
  );
  await origin.tags.tag("signature", signed);
  const list = { list: `${source()}:example.org/app:1` };
  const options = { platform: ["linux/amd64", "linux/arm64"], referrers: true };
  const report = await mote.sync(list, `oci-archive:${at("a.tar")}`, options);
  expect(report.images).toMatchObject([{ state: "copied", digest: index.digest }]);
  const { images } = await listArchive(at("a.tar"));
  expect(images.map(({ digest }) => digest).sort()).toEqual([index.digest, signed.digest].sort());
  const again = await mote.sync(list, `oci-archive:${at("a.tar")}`, options);
  expect(again.images).toMatchObject([{ state: "unchanged", blobs: 0 }]);
});

it("two images with one name at the destination are an error, and an image that is listed twice is moved once", async () => {
  await threeImages();
  const line = `${source()}:example.org/app:1`;
  const report = await mote.sync(
    { list: `${line}\n${line}\n${source()}:example.org/app:2 example.org/app:1\n` },
    `oci:${at("layout")}`,
  );
  expect(report.images.map(({ state, line: number }) => [state, number])).toEqual([
    ["copied", 1],
    ["failed", 3],
  ]);
});

it("a registry without a catalogue, a destination with a name and one for a single image are errors", async () => {
  const server = createServer((_, response) => response.writeHead(404).end());
  const host = await listenOnLoopback(server);
  const codeOf = (from: string, to: string) =>
    mote.sync(from, to).then(
      () => undefined,
      ({ code, message }) => [code, message],
    );
  try {
    const catalogue = await codeOf(`docker://${host}`, `oci:${at("layout")}`);
    expect(catalogue).toEqual(["MOTE_NOT_FOUND", expect.stringContaining("does not list its repositories")]);
    const tags = await codeOf(`docker://${host}/app`, `oci:${at("layout")}`);
    expect(tags).toEqual(["MOTE_NOT_FOUND", expect.stringContaining("has no tags")]);
  } finally {
    server.close();
  }
  await threeImages();
  for (const to of [`oci:${at("layout")}:1`, `docker://${host}/app:1`, "acme/app", "./folder/"]) {
    expect([to, (await codeOf(source(), to))?.[0]]).toEqual([to, "MOTE_INVALID_REFERENCE"]);
  }
  expect((await codeOf(source(), `dir:${at("x")}`))?.[0]).toBe("MOTE_UNSUPPORTED_TRANSPORT");
  expect((await codeOf(`oci:${at("nothing")}`, `oci:${at("layout")}`))?.[0]).toBe("MOTE_NOT_FOUND");
});
