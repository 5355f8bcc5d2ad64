import { randomBytes } from "node:crypto";
import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, type Digest, digestBytes, mediaTypes } from "@mote/core";
import { LayoutDestination } from "@mote/layout";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { missingBlobs, type OpenMote, openMote } from "../index.js";

let dir: string;
const at = (name: string) => join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-repair-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function* once(bytes: Uint8Array) {
  yield bytes;
}

/** Creates an image of two layers in the layout `from`, tagged `1`. */
async function makeImage(): Promise<{ manifest: Descriptor; layers: readonly Descriptor[] }> {
  const blobs: [Descriptor, Uint8Array][] = [];
  const add = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const descriptor = { mediaType, digest: digestBytes(bytes), size: bytes.byteLength };
    blobs.push([descriptor, bytes]);
    return descriptor;
  };
  const text = new TextEncoder();
  const contents = [randomBytes(70_000), randomBytes(80_000)];
  const layers = contents.map((bytes) => add(mediaTypes.ociLayer, bytes));
  const rootfs = { type: "layers", diff_ids: contents.map((bytes) => digestBytes(bytes)) };
  const config = add(mediaTypes.ociConfig, text.encode(JSON.stringify({ architecture: "amd64", os: "linux", rootfs })));
  const bytes = text.encode(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }));
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
  await using destination = new LayoutDestination(at("from"));
  for (const [descriptor, content] of blobs) await destination.blob(descriptor, once(content));
  await destination.manifest(manifest, bytes);
  await destination.tag("1", manifest);
  return { manifest, layers };
}

const harms: Record<string, (path: string) => void> = {
  "is gone": (path) => rmSync(path),
  "has bytes too many": (path) => {
    chmodSync(path, 0o644);
    appendFileSync(path, "rot");
  },
  "was cut short": (path) => {
    chmodSync(path, 0o644);
    truncateSync(path, 10);
  },
};
const isComplete = (mote: OpenMote, digest: Digest) => {
  const path = mote.cache.moteRef(digest);
  return existsSync(path) && digestBytes(readFileSync(path)) === digest;
};
const damagedOf = async (mote: OpenMote) => ((await mote.cache.verify?.())?.damaged ?? []).map(({ digest }) => digest);

describe("a layer or manifest is downloaded again from the source of its image", () => {
  const places = {
    oci: () => `oci:${at("from")}:1`,
    "oci-archive": () => `oci-archive:${at("image.tar")}:1`,
    "docker-archive": () => `docker-archive:${at("docker.tar")}:a/b:1`,
    dir: () => `dir:${at("dir")}`,
  };
  for (const [name, place] of Object.entries(places)) {
    for (const [harm, doHarm] of Object.entries(harms)) {
      it(`${name}, if it ${harm}`, async () => {
        await makeImage();
        if (name !== "oci") {
          await using making = await openMote({ dir: at("making") });
          await making.pull(places.oci(), place());
        }
        await using mote = await openMote({ dir: at("cache") });
        const report = await mote.pull(place());
        const manifest = report.refs[0]?.descriptor.digest as Digest;
        const { layers } = JSON.parse(readFileSync(mote.cache.moteRef(manifest), "utf8"));
        for (const digest of [layers[1].digest, manifest]) {
          doHarm(mote.cache.moteRef(digest));
          const failures: unknown[] = [];
          const options = { damaged: await damagedOf(mote), onFailure: (failure: unknown) => failures.push(failure) };
          expect([await mote.repair(options), failures]).toEqual([[], []]);
          expect(isComplete(mote, digest)).toBe(true);
        }
      });
    }
  }
});

describe("a blob that no image refers to", () => {
  for (const [harm, doHarm] of Object.entries(harms)) {
    it(`is downloaded from where it was seen, if it ${harm}`, async () => {
      const { manifest, layers } = await makeImage();
      await using mote = await openMote({ dir: at("cache") });
      await mote.pull(`oci:${at("from")}:1`);
      for await (const { name } of mote.tags.list()) await mote.tags.untag(name);
      await mote.cache.removeMote(manifest.digest);
      const digest = layers[0]?.digest as Digest;
      doHarm(mote.cache.moteRef(digest));
      await mote.cache.verify?.();
      expect(await mote.repair({ damaged: [digest] })).toEqual([]);
      expect(isComplete(mote, digest)).toBe(true);
    });
  }

  it("reports content that no source has, with a reason", async () => {
    const { layers } = await makeImage();
    await using mote = await openMote({ dir: at("cache") });
    await mote.pull(`oci:${at("from")}:1`);
    rmSync(at("from"), { recursive: true });
    const digest = layers[0]?.digest as Digest;
    rmSync(mote.cache.moteRef(digest));
    const reasons = new Map<Digest, string>();
    const left = await mote.repair({ onFailure: (failure) => void reasons.set(failure.digest, failure.reason) });
    expect(left).toEqual([`oci:${at("from")}:1`]);
    expect(reasons.get(digest)).toMatch(/./);
  });
});

it("reports missing content before the repair", async () => {
  const { takeInventory } = await import("@mote/core");
  const { layers } = await makeImage();
  await using mote = await openMote({ dir: at("cache") });
  await mote.pull(`oci:${at("from")}:1`);
  expect(missingBlobs(await takeInventory(mote.cache)).size).toBe(0);
  const digest = layers[1]?.digest as Digest;
  await mote.cache.removeMote(digest);
  expect([...missingBlobs(await takeInventory(mote.cache))]).toEqual([digest]);
});
