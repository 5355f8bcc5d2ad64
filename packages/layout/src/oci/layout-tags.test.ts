import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  chunks,
  codeOf,
  describeBytes,
  destination,
  dir,
  indexJson,
  layout,
  putManifest,
  text,
} from "../../test/layout-setup.js";
import { LayoutDestination } from "./layout-destination.js";
import { LayoutSource } from "./layout-source.js";

const named = (name: string) => ({ "org.opencontainers.image.ref.name": name });
const hello = text("hello");
const helloDescriptor = describeBytes(hello);

describe("a tag in a layout", () => {
  it("refers to the manifest that was tagged last, in one entry", async () => {
    const first = await putManifest({ one: 1 });
    const second = await putManifest({ two: 2 });
    await destination.tag("v1", first);
    await destination.tag("v2", first);
    await destination.tag("v1", second);
    await destination.tag("v1", second);
    const { manifests } = indexJson();
    expect(manifests.map(({ digest, annotations }) => [digest, annotations])).toEqual([
      [first.digest, named("v2")],
      [second.digest, named("v1")],
    ]);
    expect((await new LayoutSource(layout).resolve("v1")).digest).toBe(second.digest);
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("that is the manifest's own digest adds one entry without a name, which a later tag reuses", async () => {
    const manifest = await putManifest({ one: 1 });
    await destination.tag(manifest.digest, manifest);
    await destination.tag(manifest.digest, manifest);
    expect(indexJson().manifests).toEqual([manifest]);
    await destination.tag("v1", manifest);
    await destination.tag(manifest.digest, manifest);
    expect(indexJson().manifests).toEqual([{ ...manifest, annotations: named("v1") }]);
  });

  it("does not change other entries, even with unknown fields", async () => {
    const manifest = await putManifest({ one: 1 });
    const other = { ...manifest, annotations: { ...named("theirs"), note: "kept" }, "x-new": [1] };
    writeFileSync(
      join(layout, "index.json"),
      JSON.stringify({ schemaVersion: 2, manifests: [other], annotations: { a: "b" }, "x-top": true }),
    );
    await destination.tag("ours", manifest);
    expect(indexJson()).toEqual({
      schemaVersion: 2,
      manifests: [other, { ...manifest, annotations: named("ours") }],
      annotations: { a: "b" },
      "x-top": true,
    });
  });

  it("is rejected for a manifest that does not exist", async () => {
    expect(await codeOf(destination.tag("v1", helloDescriptor))).toBe("MOTE_NOT_FOUND");
    expect(existsSync(layout)).toBe(false);
  });

  it("rewrites a manifest that was damaged meanwhile", async () => {
    const manifest = await putManifest({ one: 1 });
    const path = join(layout, "blobs", "sha256", manifest.digest.slice(7));
    writeFileSync(path, "x".repeat(manifest.size));
    await putManifest({ one: 1 });
    expect(readFileSync(path, "utf8")).toBe('{"one":1}');
  });

  it("with an ambiguous name is rejected", async () => {
    const manifest = await putManifest({ one: 1 });
    for (const name of ["", "a b", "a\nb", "@0", "x".repeat(5000)]) {
      expect([name, await codeOf(destination.tag(name, manifest))]).toEqual([name, "MOTE_INVALID_NAME"]);
    }
    await destination.tag("_under.score/and-more:1", manifest);
  });

  it("is not written to an invalid index.json", async () => {
    const manifest = await putManifest({ one: 1 });
    writeFileSync(join(layout, "index.json"), "{");
    expect(await codeOf(destination.tag("v1", manifest))).toBe("MOTE_INVALID_MANIFEST");
    expect(readFileSync(join(layout, "index.json"), "utf8")).toBe("{");
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("is written despite the lock of a dead process", async () => {
    const manifest = await putManifest({ one: 1 });
    writeFileSync(join(layout, "index.json.lock"), "");
    await destination.tag("v1", manifest);
    expect(indexJson().manifests).toHaveLength(1);
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("stops waiting for a lock when its signal is aborted", async () => {
    const manifest = await putManifest({ one: 1 });
    writeFileSync(join(layout, "index.json.lock"), "");
    const controller = new AbortController();
    const reason = new Error("enough");
    const tagging = codeOf(destination.tag("v1", manifest, { signal: controller.signal }));
    setImmediate(() => controller.abort(reason));
    expect(await tagging).toBe(reason);
  });

  it("is not lost when many are written concurrently", async () => {
    const manifest = await putManifest({ one: 1 });
    const names = Array.from({ length: 40 }, (_, at) => `v${at}`);
    await Promise.all(names.map((name) => new LayoutDestination(layout).tag(name, manifest)));
    const found = indexJson().manifests.map(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"]);
    expect(found.sort()).toEqual([...names].sort());
  });
});

describe("a layout on a full disk", () => {
  const canMount = process.getuid?.() === 0 && mounts();
  it.skipIf(!canMount)("is an error and leaves nothing (skipped without the right to mount a tmpfs)", async () => {
    const small = join(dir, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]);
    try {
      const bytes = new Uint8Array(1024 * 1024);
      const full = new LayoutDestination(join(small, "layout"));
      expect(await codeOf(full.blob(describeBytes(bytes), chunks(bytes)))).toBe("MOTE_NO_SPACE");
      await full[Symbol.asyncDispose]();
      expect(readdirSync(small)).toEqual([]);
    } finally {
      execFileSync("umount", [small]);
    }
  });
});

function mounts(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "mote-probe-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", probe], { stdio: "ignore" });
    execFileSync("umount", [probe]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
