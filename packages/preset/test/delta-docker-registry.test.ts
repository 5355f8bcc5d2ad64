import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { builtInEncoders } from "@mote/delta";
import { needs, startDockerRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterAll, expect, it } from "vitest";
import { openMote } from "../src/index.js";
import { twoVersions } from "./versions.js";

const root = mkdtempSync(join(tmpdir(), "mote-delta-real-"));
afterAll(() => rmSync(root, { recursive: true }));
const newFolder = () => mkdtempSync(join(root, "dir-"));

it.skipIf(needs("docker-registry"))(
  "a delta in Debian's docker-registry, which has no referrers API, is listed by the referrers tag and used",
  async () => {
    await using encoders = builtInEncoders();
    const { old, next } = await twoVersions(encoders.list);
    await using built = await startSimulatedRegistry({ name: "as specified", behaviours: [], lacks: {} });
    await using real = await startDockerRegistry();
    await using maker = await openMote({ dir: newFolder() });
    const place = `docker://${real.host}/team/app`;
    for (const [tag, { manifest, blobs }] of Object.entries({ 1: old, 2: next })) {
      for (const blob of blobs) built.repositories.addBlob("team/app", blob);
      built.repositories.addManifest("team/app", manifest.bytes, mediaTypes.ociManifest, tag);
      await maker.copy(`${built.host}/team/app:${tag}`, `${place}:${tag}`);
    }
    await maker.delta(`${place}:1`, `${place}:2`, place);
    const { tags } = await maker.listTags(place);
    expect([...tags].sort()).toEqual(["1", "2", next.manifest.descriptor.digest.replace(":", "-")]);
    await using mote = await openMote({ dir: newFolder() });
    await mote.pull(`${place}:1`);
    const report = await mote.pull(`${place}:2`, undefined, { delta: "always" });
    expect(report).toMatchObject({ rebuilt: { count: 2 }, warnings: [] });
    for (const bytes of next.blobs) {
      expect(readFileSync(mote.cache.moteRef(digestBytes(bytes))).equals(bytes)).toBe(true);
    }
  },
);
