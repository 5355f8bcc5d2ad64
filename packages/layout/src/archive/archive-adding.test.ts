import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { childDescriptors, collectChunks, MoteError, parseManifest } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putImage, sampleImage } from "../../test/sample-image.js";
import { ownIdentity } from "../disk/process-identity.js";
import {
  DockerArchiveDestination,
  DockerArchiveSource,
  LayoutDestination,
  OciArchiveDestination,
  OciArchiveSource,
} from "../index.js";

const kinds = [
  {
    transport: "oci-archive",
    open: (file: string, options = {}) => new OciArchiveDestination(file, options),
    source: (file: string) => new OciArchiveSource(file),
    name: (name: string) => name,
    other: (file: string) => new DockerArchiveDestination(file),
  },
  {
    transport: "docker-archive",
    open: (file: string, options = {}) => new DockerArchiveDestination(file, options),
    source: (file: string) => new DockerArchiveSource(file),
    name: (name: string) => `docker.io/team/${name}:1`,
    other: (file: string) => new OciArchiveDestination(file),
  },
] as const;
const [base, app, tool] = [sampleImage("base"), sampleImage("app"), sampleImage("a tool")];

let dir = "";
let file = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-adding-"));
  file = join(dir, "archive.tar");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no error",
    (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
  );
}

describe.each(kinds)("adding an image to an existing $transport", (kind) => {
  /** Reads and verifies all blobs of an image, and returns its mark. */
  async function markOf(name: string, path = file): Promise<unknown> {
    await using source = kind.source(path);
    const root = await source.resolve(kind.name(name));
    const manifest = parseManifest(await source.manifest(root), root.mediaType);
    let mark: unknown;
    for (const blob of childDescriptors(manifest)) {
      const bytes = await collectChunks(await source.blob(blob), { maxBytes: 1 << 20, what: "a blob" });
      if (manifest.kind === "manifest" && blob === manifest.config)
        mark = JSON.parse(new TextDecoder().decode(bytes)).config.Labels.mark;
    }
    return mark;
  }
  const names = () => execFileSync("tar", ["-tf", file], { encoding: "utf8" }).split("\n");

  it("stores shared blobs once", async () => {
    for (const image of [base, app, tool]) await putImage(kind.open(file), image, kind.name(image.mark.slice(-4)));
    expect([await markOf("base"), await markOf("app"), await markOf("tool")]).toEqual(["base", "app", "a tool"]);
    const files = names().filter((name) => name !== "" && !name.endsWith("/"));
    expect(new Set(files).size).toBe(files.length);
    // One shared layer, and a layer and a config of each image; in an OCI archive also its manifest.
    const [perImage, beside] = kind.transport === "oci-archive" ? [3, 2] : [2, 1];
    expect(files.length).toBe(1 + 3 * perImage + beside);
    expect(readdirSync(dir)).toEqual(["archive.tar"]);
  });

  it("works in a compressed archive", async () => {
    const compressed = `${file}.gz`;
    for (const image of [base, app]) await putImage(kind.open(compressed), image, kind.name(image.mark));
    expect(readFileSync(compressed).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect([await markOf("base", compressed), await markOf("app", compressed)]).toEqual(["base", "app"]);
  });

  it("changes nothing if the image is there already", async () => {
    for (const image of [base, app]) await putImage(kind.open(file), image, kind.name(image.mark));
    const before = readFileSync(file);
    await putImage(kind.open(file), base, kind.name("base"));
    expect(new Set(names())).toEqual(
      new Set(execFileSync("tar", ["-tf", "-"], { input: before, encoding: "utf8" }).split("\n")),
    );
    expect([await markOf("base"), await markOf("app")]).toEqual(["base", "app"]);
  });

  it("fails if its name refers to another image, and replaces only that image if allowed", async () => {
    for (const image of [base, app]) await putImage(kind.open(file), image, kind.name(image.mark));
    const before = readFileSync(file);
    expect(await codeOf(putImage(kind.open(file), tool, kind.name("app")))).toBe("MOTE_EXISTS");
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(dir)).toEqual(["archive.tar"]);
    const count = names().length;
    await putImage(kind.open(file, { overwrite: true }), tool, kind.name("app"));
    expect([await markOf("base"), await markOf("app")]).toEqual(["base", "a tool"]);
    expect(names().length).toBe(count);
  });

  it("adds a second name for the same image", async () => {
    await putImage(kind.open(file), base, kind.name("base"));
    await putImage(kind.open(file), base, kind.name("same"));
    expect([await markOf("base"), await markOf("same")]).toEqual(["base", "base"]);
  });

  it("rejects a file that is not such an archive before any blob is sent", async () => {
    await putImage(kind.other(join(dir, "other.tar")), base, "docker.io/team/base:1");
    await putImage(kind.open(join(dir, "both.tar")), base, kind.name("base"));
    const more = kind.transport === "oci-archive" ? "manifest.json" : "index.json";
    execFileSync("sh", ["-c", `printf '[]' > ${more} && tar -rf both.tar ${more} && rm ${more}`], { cwd: dir });
    writeFileSync(join(dir, "text.tar"), "my diary");
    writeFileSync(join(dir, "cut.tar"), readFileSync(join(dir, "other.tar")).subarray(0, 700));
    for (const name of ["other.tar", "both.tar", "text.tar", "cut.tar"]) {
      const path = join(dir, name);
      const before = readFileSync(path);
      expect([name, await codeOf(kind.open(path).has(base.manifest))]).toEqual([name, "MOTE_EXISTS"]);
      expect(readFileSync(path).equals(before)).toBe(true);
      await putImage(kind.open(path, { overwrite: true }), app, kind.name("app"));
      expect([name, await markOf("app", path)]).toEqual([name, "app"]);
    }
  });

  it("replaces an empty file", async () => {
    writeFileSync(file, "");
    await putImage(kind.open(file), base, kind.name("base"));
    expect(await markOf("base")).toBe("base");
  });

  it("loses no image when several are added concurrently", async () => {
    const images = Array.from({ length: 6 }, (_, at) => sampleImage(`image-${at}`));
    await Promise.all(images.map((image) => putImage(kind.open(file), image, kind.name(image.mark))));
    for (const { mark } of images) expect(await markOf(mark)).toBe(mark);
    expect(readdirSync(dir)).toEqual(["archive.tar"]);
  });

  it("does not change the archive if it fails at the end", async () => {
    await putImage(kind.open(file), base, kind.name("base"));
    const before = readFileSync(file);
    const destination = kind.open(file);
    const stopped = new AbortController();
    // The blob that is packed last can no longer be read.
    const layer = [...app.blobs.keys()].find(({ size }) => size > 10_000);
    const breaking = {
      has: destination.has.bind(destination),
      blob: destination.blob.bind(destination),
      manifest: destination.manifest.bind(destination),
      async tag(name: string, descriptor: typeof app.manifest) {
        await destination.tag(name, descriptor);
        if (layer) rmSync(destination.linkable(layer));
        mkdirSync(layer ? destination.linkable(layer) : "");
      },
      commit: destination.commit.bind(destination),
      [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
    };
    expect(await codeOf(putImage(breaking, app, kind.name("app"), stopped))).toMatch(/^MOTE_/);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(dir)).toEqual(["archive.tar"]);
  });

  it("removes files that killed processes have left next to the archive, and nothing else", async () => {
    const [, start, boot, namespace] = ownIdentity().split("-");
    const left = {
      killed: `.mote-999999999-${start}-${boot}-${namespace}-0123456789abcdef`,
      elsewhere: `.mote-1-${start}-0-0-0123456789abcdef`,
      old: ".mote-archive-oldold",
      recent: ".mote-archive-recent",
      other: ".mote-other",
    };
    for (const name of Object.values(left)) mkdirSync(join(dir, name, "layout"), { recursive: true });
    for (const name of [left.old, `${left.old}/layout`, left.other]) utimesSync(join(dir, name), 1, 1);
    await putImage(kind.open(file), base, kind.name("base"));
    expect(readdirSync(dir).sort()).toEqual([left.elsewhere, left.recent, left.other, "archive.tar"].sort());
  });

  it("results in an archive that skopeo can read (needs Debian's skopeo)", async ({ skip }) => {
    const run = promisify(execFile);
    if (!(await run("skopeo", ["--version"]).catch(() => undefined))) return skip();
    for (const image of [base, app]) await putImage(kind.open(file), image, kind.name(image.mark));
    for (const { mark } of [base, app]) {
      const { stdout } = await run("skopeo", ["inspect", "--config", `${kind.transport}:${file}:${kind.name(mark)}`]);
      expect(JSON.parse(stdout).config.Labels.mark).toBe(mark);
    }
  });
});

it("works in an archive that skopeo has written (needs Debian's skopeo)", async ({ skip }) => {
  const run = promisify(execFile);
  if (!(await run("skopeo", ["--version"]).catch(() => undefined))) return skip();
  await putImage(new LayoutDestination(join(dir, "layout")), base, "base");
  writeFileSync(join(dir, "policy.json"), '{"default":[{"type":"insecureAcceptAnything"}]}');
  for (const kind of kinds) {
    const path = join(dir, `${kind.transport}.tar`);
    const to = `${kind.transport}:${path}:${kind.name("base")}`;
    await run("skopeo", ["--policy", join(dir, "policy.json"), "copy", `oci:${join(dir, "layout")}:base`, to]);
    await putImage(kind.open(path), app, kind.name("app"));
    for (const { mark } of [base, app]) {
      const { stdout } = await run("skopeo", ["inspect", "--config", `${kind.transport}:${path}:${kind.name(mark)}`]);
      expect(JSON.parse(stdout).config.Labels.mark).toBe(mark);
    }
  }
});
