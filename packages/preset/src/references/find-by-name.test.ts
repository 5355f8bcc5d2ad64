import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, MoteError } from "@mote/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Image, putImage } from "../../test/images.js";
import { type OpenMote, openMote } from "../index.js";

let dir: string;
let mote: OpenMote;
let tools: Image;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-find-"));
  mote = await openMote({ dir: join(dir, "cache") });
  tools = await putImage(mote.cache, ["127.0.0.1:5000/lib/tools:1", "127.0.0.1:5000/lib/tools:latest"], { a: 10 });
  const other = await putImage(mote.cache, ["docker.io/library/alpine:3"], { b: 10 });
  await mote.tags.tag("ghcr.io/acme/app:1", tools.manifest);
  await mote.tags.tag("quay.io/acme/app:1", other.manifest);
  await mote.tags.tag(`oci:${join(dir, "layout")}:1`, tools.manifest);
});

afterAll(async () => {
  await mote.close();
  await rm(dir, { recursive: true, force: true });
});

const failure = async (text: string) => {
  const error = await mote.find(text).catch((error: unknown) => error);
  return MoteError.isInstance(error) ? error.code : error;
};

describe("find", () => {
  it("finds by digest, digest prefix, name, reference, and end of a name", async () => {
    const { digest } = tools.manifest;
    for (const text of [
      digest,
      digest.slice(0, 13),
      digest.slice(7, 13),
      "127.0.0.1:5000/lib/tools:1",
      "docker://127.0.0.1:5000/lib/tools:1",
      "127.0.0.1:5000/lib/tools",
      `docker://127.0.0.1:5000/lib/tools@${digest}`,
      `oci:${join(dir, "layout")}:1`,
      "lib/tools:1",
      "tools:1",
      "tools",
      "ghcr.io/acme/app:1",
    ]) {
      expect([text, (await mote.find(text)).digest]).toEqual([text, digest]);
    }
    expect((await mote.find("alpine:3")).name).toBe("docker.io/library/alpine:3");
  });

  it("reports an ambiguous and an unknown name", async () => {
    expect(await failure("app:1")).toBe("MOTE_AMBIGUOUS");
    expect(await failure("tools:9")).toBe("MOTE_NOT_FOUND");
    expect(await failure(digestBytes(new Uint8Array(1)).slice(0, 30))).toBe("MOTE_NOT_FOUND");
    expect(await failure("sha256:12")).toBe("MOTE_INVALID_DIGEST");
    expect(await failure("sha256:xyz")).toBe("MOTE_INVALID_DIGEST");
    expect(await failure("")).toBe("MOTE_NOT_FOUND");
  });

  it("returns a complete digest that is not stored, because it may be known elsewhere", async () => {
    const digest = digestBytes(new Uint8Array(99));
    expect(await mote.find(digest)).toEqual({ digest });
  });
});

it("creates nothing when only inspecting, and finds an absent cache empty", async () => {
  const absent = join(dir, "absent");
  await using looking = await openMote({ dir: absent, readOnly: true });
  for await (const found of looking.cache.motes?.() ?? []) expect(found).toBeUndefined();
  expect(await looking.knownLocations(tools.manifest.digest)).toMatchObject({ locations: [], otherForms: [] });
  expect(await readdir(dir)).not.toContain("absent");
});

it("knownLocations returns where and when a blob was seen, whether a mount is possible, and its other forms", async () => {
  const digest = tools.layers[0]?.digest ?? tools.manifest.digest;
  const plain = digestBytes(new TextEncoder().encode("plain"));
  const layer = { digest };
  const before = Date.now();
  for (const place of ["docker://r.example/lib/a", "docker://other.example/lib/b", "dir:/srv/dir"]) {
    await mote.locator.recordLayerSource(layer, place);
  }
  await mote.bic.recordDigestUntransformedPair(digest, plain);
  await mote.locator.recordLayerSource({ digest: plain }, "docker://r.example/lib/plain");
  const known = await mote.knownLocations(digest, { destination: "docker://r.example/lib/c:1" });
  const seen = known.locations.map(({ ref, verdict }) => ["path" in ref ? ref.path : ref.repository, verdict]).sort();
  expect(seen).toEqual([
    ["/srv/dir", "send"],
    ["lib/a", "mount"],
    ["lib/b", "send"],
  ]);
  for (const { seenMs } of known.locations) expect(seenMs).toBeGreaterThanOrEqual(before);
  expect(known.untransformed).toBe(plain);
  expect(known.otherForms).toMatchObject([{ digest: plain, locations: [{ verdict: "mount" }] }]);
  const same = await mote.knownLocations(digest, { destination: "docker://r.example/lib/a:9" });
  expect(same.locations.some(({ verdict }) => verdict === "there")).toBe(true);
  await expect(mote.knownLocations(digest, { destination: "docker://:" })).rejects.toMatchObject({
    code: "MOTE_INVALID_REFERENCE",
  });
});
