import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@mote/testbed";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Image, putImage, putIndex } from "../../test/images.js";
import { type MoveReport, type OpenMote, openMote, type RegistryServer } from "../index.js";

let root: string;
let upstream: OpenMote;
let server: RegistryServer;
let mote: OpenMote;
let image: Image;
let name: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mote-report-"));
  upstream = await openMote({ dir: join(root, "upstream") });
  image = await putImage(upstream.cache, ["lib/app:1"], { a: 10, b: 2000 });
  server = await upstream.serve({ port: await freePort() });
  name = `${server.host}:${server.port}/lib/app:1`;
  mote = await openMote({ dir: join(root, "cache") });
});

afterEach(async () => {
  await mote.close();
  await server.close();
  await upstream.close();
  await rm(root, { recursive: true, force: true });
});

const referenceOf = ({ refs }: MoveReport) => refs[0]?.reference ?? "";

describe("the reference in a report", () => {
  it("is the name and digest of content in the cache", async () => {
    const report = await mote.pull(`docker://${name}`);
    expect(referenceOf(report)).toBe(`${name}@${image.manifest.digest}`);
    await server.close();
    expect((await mote.pull(referenceOf(report))).refs[0]?.descriptor.digest).toBe(image.manifest.digest);
    expect(referenceOf(await mote.pull(image.manifest.digest))).toBe(image.manifest.digest);
  });

  it("is the index if one platform was pulled", async () => {
    const index = await putIndex(
      upstream.cache,
      ["lib/app:1"],
      [{ ...image.manifest, platform: { os: "linux", architecture: "amd64" } }],
    );
    const platform = "linux/amd64";
    const report = await mote.pull(`docker://${name}`, undefined, { platform });
    expect(referenceOf(report)).toBe(`${name}@${index.digest}`);
    const layout = await mote.pull(`docker://${name}`, `oci:${root}/l:1`, { platform });
    expect(referenceOf(layout)).toBe(`oci:${root}/l:1@${image.manifest.digest}`);
  });

  it.each([
    ["oci", "1", true],
    ["oci-archive", "1", true],
    ["docker-archive", "docker.io/lib/app:1", false],
    ["dir", undefined, false],
  ] as const)("of %s is read back as what was put there", async (transport, tag, hasDigest) => {
    const place = `${transport}:${root}/${transport}`;
    const report = await mote.pull(`docker://${name}`, tag === undefined ? place : `${place}:${tag}`);
    const suffix = hasDigest ? `@${image.manifest.digest}` : "";
    expect(referenceOf(report)).toBe(`${place}${tag === undefined ? "" : `:${tag}`}${suffix}`);
    await server.close();
    // A docker-archive with the layers of these images cannot be read.
    if (transport === "docker-archive") return;
    const again = await mote.pull(referenceOf(report), `oci:${root}/again:1`);
    expect(again.refs[0]?.descriptor.mediaType).toBe(image.manifest.mediaType);
  });

  it("is that of the source if the files of an artifact were written to a directory", async () => {
    await writeFile(join(root, "notes.txt"), "notes");
    const pushed = await mote.pushFiles([{ path: join(root, "notes.txt") }], `oci:${root}/files:1`);
    const digest = pushed.refs[0]?.descriptor.digest;
    expect(referenceOf(pushed)).toBe(`oci:${root}/files:1@${digest}`);
    const pulled = await mote.pull(referenceOf(pushed), `${root}/out/`);
    expect(referenceOf(pulled)).toBe(`oci:${root}/files:1@${digest}`);
  });
});
