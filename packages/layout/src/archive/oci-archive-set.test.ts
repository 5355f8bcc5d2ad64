import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Digest } from "@mote/core";
import { expect, it } from "vitest";
import { codeOf, dir } from "../../test/layout-setup.js";
import { putImage, type SampleImage, sampleImage } from "../../test/sample-image.js";
import { isArchiveFile } from "./archive-file.js";
import { OciArchiveSet, type OciArchiveSetOptions } from "./oci-archive-set.js";
import { OciArchiveSource } from "./oci-archive-source.js";

const at = (name: string) => join(dir, name);
const images = { "example.org/a:1": sampleImage("one"), "example.org/b:1": sampleImage("eleven") };

async function write(
  file: string,
  named: Readonly<Record<string, SampleImage>>,
  { remove, ...options }: OciArchiveSetOptions & { readonly remove?: ReadonlySet<string> } = {},
): Promise<void> {
  await using archive = new OciArchiveSet(at(file), options);
  for (const [name, image] of Object.entries(named)) await putOpen(archive, image, name);
  await archive.finish({ remove });
}

/** Puts an image and leaves the archive open. */
async function putOpen(archive: OciArchiveSet, image: SampleImage, name: string): Promise<void> {
  const { ref } = archive;
  await putImage(
    {
      ref,
      has: (descriptor, options) => archive.has(descriptor, options),
      blob: (descriptor, chunks, options) => archive.blob(descriptor, chunks, options),
      manifest: (descriptor, bytes, options) => archive.manifest(descriptor, bytes, options),
      tag: (tag, descriptor) => archive.tag(tag, descriptor),
    },
    image,
    name,
  );
}

async function namesIn(file: string): Promise<(string | undefined)[]> {
  await using source = new OciArchiveSource(at(file));
  return (await source.images()).map(({ name }) => name);
}

async function lacks(file: string, image: SampleImage): Promise<Digest[]> {
  await using source = new OciArchiveSource(at(file));
  const missing: Digest[] = [];
  for (const blob of image.blobs.keys()) if (!(await source.has(blob))) missing.push(blob.digest);
  return missing;
}

it("an archive has its images by name, and the same bytes whatever their order", async () => {
  await write("one.tar", images);
  await write("two.tar", Object.fromEntries(Object.entries(images).reverse()));
  expect(readFileSync(at("two.tar")).equals(readFileSync(at("one.tar")))).toBe(true);
  expect(await namesIn("one.tar")).toEqual(Object.keys(images));
});

it("content of an image that was not completed is not written", async () => {
  await using archive = new OciArchiveSet(at("a.tar"));
  await putOpen(archive, images["example.org/a:1"], "example.org/a:1");
  for (const [descriptor, bytes] of images["example.org/b:1"].blobs) {
    if (await archive.has(descriptor)) continue;
    await archive.blob(
      descriptor,
      (async function* () {
        yield bytes;
      })(),
    );
  }
  await archive.finish();
  await write("b.tar", { "example.org/a:1": images["example.org/a:1"] });
  expect(readFileSync(at("a.tar")).equals(readFileSync(at("b.tar")))).toBe(true);
});

it("an existing archive gets more images and loses removed ones, with what only they needed", async () => {
  await write("a.tar", { "example.org/a:1": images["example.org/a:1"] });
  await write("a.tar", { "example.org/b:1": images["example.org/b:1"] });
  expect(await namesIn("a.tar")).toEqual(Object.keys(images));
  await write("a.tar", {}, { remove: new Set(["example.org/a:1"]) });
  expect(await namesIn("a.tar")).toEqual(["example.org/b:1"]);
  expect(await lacks("a.tar", images["example.org/b:1"])).toEqual([]);
  // The first layer is shared.
  expect(await lacks("a.tar", images["example.org/a:1"])).toHaveLength(2);
});

it("a thin archive lists the blobs that it relies on", async () => {
  const shared = [...images["example.org/a:1"].blobs.keys()][0];
  const without = (digest: Digest) => (digest === shared?.digest ? ["example.org/base:1"] : undefined);
  await write("thin.tar", images, { without });
  expect(await lacks("thin.tar", images["example.org/a:1"])).toEqual([shared?.digest]);
  await using source = new OciArchiveSource(at("thin.tar"));
  expect(await source.reliesOn()).toEqual([{ ...shared, images: ["example.org/base:1"] }]);
  await write("full.tar", images);
  await using full = new OciArchiveSource(at("full.tar"));
  expect(await full.reliesOn()).toEqual([]);
});

const partBytes = 1024 * 1024;
const large = sampleImage("x".repeat(5000));

it("an archive in parts is read by any part, its list or its name", async () => {
  await write("a.tar", { "example.org/large:1": large });
  const whole = readFileSync(at("a.tar"));
  rmSync(at("a.tar"));
  await write("a.tar", { "example.org/large:1": large }, { partBytes });
  const parts = ["a.tar.001", "a.tar.002", "a.tar.003"].map((name) => readFileSync(at(name)));
  expect(parts.map(({ byteLength }) => byteLength)).toEqual([partBytes, partBytes, whole.byteLength - 2 * partBytes]);
  expect(Buffer.concat(parts).equals(whole)).toBe(true);
  for (const name of ["a.tar.001", "a.tar.003", "a.tar.parts.json", "a.tar"]) {
    expect([name, isArchiveFile(at(name))]).toEqual([name, true]);
    expect([name, await lacks(name, large)]).toEqual([name, []]);
    await using source = new OciArchiveSource(at(name));
    const { digest } = await source.resolve("example.org/large:1");
    expect(digest).toBe(large.manifest.digest);
    for (const [blob, bytes] of large.blobs) {
      await using reader = await source.blob(blob);
      const chunks: Uint8Array[] = [];
      for await (const chunk of reader) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    }
  }
  rmSync(at("a.tar.parts.json"));
  expect(isArchiveFile(at("a.tar.003"))).toBe(false);
});

it("an archive in parts replaces an earlier one, but no other file with the name of a part", async () => {
  await write("b.tar", { "example.org/large:1": large }, { partBytes });
  await write("b.tar", { "example.org/a:1": images["example.org/a:1"] }, { partBytes });
  expect(readdirSync(at(".")).filter((name) => name.startsWith("b.tar"))).toEqual(["b.tar.001", "b.tar.parts.json"]);
  writeFileSync(at("b.tar.002"), "of another tool");
  const before = readFileSync(at("b.tar.001"));
  await expect(write("b.tar", { "example.org/large:1": large }, { partBytes })).rejects.toMatchObject({
    code: "MOTE_EXISTS",
    details: { path: at("b.tar.002") },
  });
  expect(readFileSync(at("b.tar.002"), "utf8")).toBe("of another tool");
  expect(readFileSync(at("b.tar.001")).equals(before)).toBe(true);
});

it("parts replace an archive in one file and have its images, and the reverse", async () => {
  const files = () => readdirSync(at(".")).filter((file) => file.startsWith("c.tar"));
  await write("c.tar", images);
  await write("c.tar", { "example.org/large:1": large }, { partBytes });
  expect(files()).toEqual(["c.tar.001", "c.tar.002", "c.tar.003", "c.tar.parts.json"]);
  expect(await namesIn("c.tar")).toEqual([...Object.keys(images), "example.org/large:1"]);
  await write("c.tar", { "example.org/new:1": large });
  expect(files()).toEqual(["c.tar"]);
  expect(await namesIn("c.tar")).toEqual([...Object.keys(images), "example.org/large:1", "example.org/new:1"]);
  writeFileSync(at("d.tar"), "of another tool");
  await expect(write("d.tar", images, { partBytes })).rejects.toMatchObject({ code: "MOTE_EXISTS" });
  expect(readFileSync(at("d.tar"), "utf8")).toBe("of another tool");
});

it("a damaged, cut or missing part is named", async () => {
  const harm: Readonly<Record<string, (path: string) => void>> = {
    damaged: (path) => writeFileSync(path, readFileSync(path).fill(1, 1000, 1001)),
    cut: (path) => truncateSync(path, statSync(path).size - 1),
    longer: (path) => appendFileSync(path, "x"),
    missing: (path) => rmSync(path),
  };
  for (const [how, damage] of Object.entries(harm)) {
    await write("a.tar", { "example.org/large:1": large }, { partBytes });
    damage(at("a.tar.002"));
    await using source = new OciArchiveSource(at("a.tar.001"));
    const reading = source.resolve("example.org/large:1");
    await expect(reading, how).rejects.toMatchObject({
      code: "MOTE_CORRUPT",
      details: { parts: [{ path: at("a.tar.002"), reason: how === "missing" ? "missing" : "damaged" }] },
    });
  }
});

it("no path is taken from a list of parts", async () => {
  await write("a.tar", { "example.org/large:1": large }, { partBytes });
  const list = JSON.parse(readFileSync(at("a.tar.parts.json"), "utf8"));
  for (const name of ["/etc/passwd", "../a.tar.001", "a.tar.003", "", 1]) {
    const parts = [{ ...list.parts[0], name }, ...list.parts.slice(1)];
    writeFileSync(at("a.tar.parts.json"), JSON.stringify({ ...list, parts }));
    await using source = new OciArchiveSource(at("a.tar.001"));
    expect([name, await codeOf(source.resolve("example.org/large:1"))]).toEqual([name, "MOTE_INVALID_ARCHIVE"]);
  }
  for (const [content, code] of [
    ["{}", "MOTE_INVALID_ARCHIVE"],
    ["not JSON", "MOTE_INVALID_ARCHIVE"],
    [JSON.stringify({ ...list, version: 2 }), "MOTE_UNSUPPORTED_FORMAT"],
    [JSON.stringify({ ...list, parts: [{ ...list.parts[0], size: -1 }] }), "MOTE_INVALID_ARCHIVE"],
  ]) {
    writeFileSync(at("a.tar.parts.json"), content ?? "");
    await using source = new OciArchiveSource(at("a.tar.001"));
    expect(await codeOf(source.resolve("example.org/large:1"))).toBe(code);
  }
});

it("fewer parts replace more", async () => {
  await write("a.tar", { "example.org/large:1": large }, { partBytes });
  await write("a.tar", images, { partBytes });
  expect([existsSync(at("a.tar.001")), existsSync(at("a.tar.002"))]).toEqual([true, false]);
  expect(await namesIn("a.tar.001")).toEqual(Object.keys(images));
});
