import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirDestination } from "./dir-destination.js";
import { DirSource } from "./dir-source.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-dir-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const text = (content: string) => new TextEncoder().encode(content);

function describeBytes(bytes: Uint8Array, mediaType: string = mediaTypes.octetStream): Descriptor {
  return { digest: digestBytes(bytes), size: bytes.byteLength, mediaType };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "nothing was thrown",
    (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
  );
}

describe("a directory of the dir transport", () => {
  it("stores blobs under their hex digits, and the last tagged manifest as manifest.json", async () => {
    const destination = new DirDestination(join(dir, "image"));
    const config = describeBytes(text("{}"), mediaTypes.ociConfig);
    await destination.blob(config, once(text("{}")));
    const manifests: Descriptor[] = [];
    for (const note of ["one", "two"]) {
      const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], annotations: { note } };
      const bytes = text(JSON.stringify(body));
      const manifest = describeBytes(bytes, mediaTypes.ociManifest);
      await destination.manifest(manifest, bytes);
      await destination.tag("any", manifest);
      manifests.push(manifest);
    }
    await destination.commit();
    const other = `${manifests[0]?.digest.slice(7)}.manifest.json`;
    expect(readdirSync(join(dir, "image")).sort()).toEqual(
      [config.digest.slice(7), other, "manifest.json", "version"].sort(),
    );
    expect(readFileSync(join(dir, "image", "version"), "utf8")).toBe("Directory Transport Version: 1.1\n");
    const source = new DirSource(join(dir, "image"));
    expect(await source.resolve("")).toEqual(manifests[1]);
    expect(await codeOf(source.resolve(manifests[0]?.digest ?? ""))).toBe("MOTE_NOT_FOUND");
    for (const manifest of manifests) expect((await source.manifest(manifest)).byteLength).toBe(manifest.size);
  });

  it("does not write to or replace a file that is a symbolic link", async () => {
    const bytes = text("{}");
    const manifest = describeBytes(bytes, mediaTypes.ociManifest);
    for (const name of ["version", "manifest.json"]) {
      const image = join(dir, `image-${name}`);
      mkdirSync(image);
      const destination = new DirDestination(image);
      if (name === "manifest.json") await destination.manifest(manifest, bytes);
      symlinkSync(join(dir, "elsewhere"), join(image, name));
      const send = async () => {
        await destination.manifest(manifest, bytes);
        await destination.tag("any", manifest);
      };
      expect(["MOTE_EXISTS", "MOTE_UNSUPPORTED_FORMAT"]).toContain(await codeOf(send()));
      expect(lstatSync(join(image, name)).isSymbolicLink()).toBe(true);
      expect(existsSync(join(dir, "elsewhere"))).toBe(false);
    }
  });

  it("is removed with what was created if nothing was committed, and nothing else", async () => {
    const blob = describeBytes(text("hello"));
    mkdirSync(join(dir, "mine"));
    for (const name of ["new", "mine"]) {
      const destination = new DirDestination(join(dir, name));
      expect(await codeOf(destination.blob(blob, once(text("hullo"))))).toBe("MOTE_DIGEST_MISMATCH");
      await destination[Symbol.asyncDispose]();
      await destination[Symbol.asyncDispose]();
    }
    expect(existsSync(join(dir, "new"))).toBe(false);
    expect(readdirSync(join(dir, "mine"))).toEqual([]);
  });

  it("is not created in a directory of something else or of another version", async () => {
    const blob = describeBytes(text("hello"));
    for (const [file, content] of [
      ["letter.txt", "dear"],
      ["version", "Directory Transport Version: 2.0\n"],
    ] as const) {
      const location = join(dir, file);
      mkdirSync(location);
      writeFileSync(join(location, file), content);
      expect(await codeOf(new DirDestination(location).has(blob))).toBe("MOTE_UNSUPPORTED_FORMAT");
      expect(await codeOf(new DirDestination(location).blob(blob, once(text("hello"))))).toBe(
        "MOTE_UNSUPPORTED_FORMAT",
      );
      expect(await codeOf(new DirSource(location).resolve(""))).toBe("MOTE_UNSUPPORTED_FORMAT");
      expect(readdirSync(location)).toEqual([file]);
    }
    expect(await codeOf(new DirSource(join(dir, "nowhere")).resolve(""))).toBe("MOTE_NOT_FOUND");
  });
});
