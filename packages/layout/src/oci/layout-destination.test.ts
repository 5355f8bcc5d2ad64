import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, digestBytes, MoteError, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OciArchiveDestination } from "../archive/oci-archive-destination.js";
import { LayoutDestination } from "./layout-destination.js";
import { LayoutSource } from "./layout-source.js";

let dir: string;
let layout: string;
let destination: LayoutDestination;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-layout-"));
  layout = join(dir, "made", "layout");
  destination = new LayoutDestination(layout);
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const text = (content: string) => new TextEncoder().encode(content);

function describeBytes(bytes: Uint8Array, mediaType: string = mediaTypes.octetStream): Descriptor {
  return { digest: digestBytes(bytes), size: bytes.byteLength, mediaType };
}

async function* chunks(...parts: readonly (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield part;
  }
}

async function putManifest(content: object, to = destination): Promise<Descriptor> {
  const bytes = text(JSON.stringify(content));
  const descriptor = describeBytes(bytes, mediaTypes.ociManifest);
  await to.manifest(descriptor, bytes);
  return descriptor;
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : error;
  }
  return "nothing was thrown";
}

function indexJson(): { manifests: { digest: string; annotations?: Record<string, string> }[] } & Record<
  string,
  unknown
> {
  return JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
}

const named = (name: string) => ({ "org.opencontainers.image.ref.name": name });
const hello = text("hello");
const helloDescriptor = describeBytes(hello);
const helloPath = () => join(layout, "blobs", "sha256", helloDescriptor.digest.slice(7));

describe("a layout as destination", () => {
  it("is made with the first blob, and has it afterwards", async () => {
    expect(await destination.has(helloDescriptor)).toBe(false);
    expect(existsSync(layout)).toBe(false);
    await destination.blob(helloDescriptor, chunks(text("hel"), text("lo")));
    expect(await destination.has(helloDescriptor)).toBe(true);
    expect(await destination.has({ ...helloDescriptor, size: 6 })).toBe(false);
    expect(readFileSync(helloPath(), "utf8")).toBe("hello");
    expect(JSON.parse(readFileSync(join(layout, "oci-layout"), "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
    expect(indexJson().manifests).toEqual([]);
  });

  it("takes digests of the other algorithms into folders of their own", async () => {
    const descriptor = { ...helloDescriptor, digest: digestBytes(hello, "sha512") };
    await destination.blob(descriptor, chunks(hello));
    expect(existsSync(join(layout, "blobs", "sha512", descriptor.digest.slice(7)))).toBe(true);
  });

  const failures = [
    ["of the wrong size", [text("hell")], "MOTE_SIZE_MISMATCH"],
    ["of the wrong bytes", [text("hullo")], "MOTE_DIGEST_MISMATCH"],
    ["that breaks off", [text("hel"), new MoteError("MOTE_UNREACHABLE", "cut")], "MOTE_UNREACHABLE"],
  ] as const;
  for (const [what, parts, code] of failures) {
    it(`keeps nothing of a blob ${what}, and closed takes away what it made`, async () => {
      expect(await codeOf(destination.blob(helloDescriptor, chunks(...parts)))).toBe(code);
      expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
      expect(readdirSync(join(layout, "blobs", "sha256"))).toEqual([]);
      await destination[Symbol.asyncDispose]();
      await destination[Symbol.asyncDispose]();
      expect(readdirSync(dir)).toEqual([]);
    });
  }

  it("closed keeps what another process put there, and folders that it did not make", async () => {
    await destination.blob(helloDescriptor, chunks(hello));
    await destination[Symbol.asyncDispose]();
    expect(existsSync(helloPath())).toBe(true);

    const empty = join(dir, "empty");
    mkdirSync(empty);
    const other = new LayoutDestination(empty);
    other.linkable(helloDescriptor);
    await other[Symbol.asyncDispose]();
    expect(readdirSync(empty)).toEqual([]);
  });

  it("closed takes nothing more", async () => {
    await destination[Symbol.asyncDispose]();
    expect(await codeOf(destination.has(helloDescriptor))).toBe("MOTE_CLOSED");
    expect(await codeOf(destination.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_CLOSED");
    expect(await codeOf(destination.tag("v1", helloDescriptor))).toBe("MOTE_CLOSED");
    const archive = new OciArchiveDestination(join(dir, "archive.tar"));
    await archive[Symbol.asyncDispose]();
    expect(await codeOf(archive.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_CLOSED");
    expect(readdirSync(dir)).toEqual([]);
  });

  it("stops at an abort with its reason", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield text("hel");
      controller.abort(reason);
      yield text("lo");
    }
    expect(await codeOf(destination.blob(helloDescriptor, endless(), { signal: controller.signal }))).toBe(reason);
    expect(readdirSync(join(layout, "blobs", "sha256"))).toEqual([]);
  });

  it("offers the path where a blob may be linked to", () => {
    expect(destination.linkable(helloDescriptor)).toBe(helloPath());
    expect(existsSync(join(layout, "blobs", "sha256"))).toBe(true);
  });

  it("does not take a symbolic link for a blob, and replaces it", async () => {
    destination.linkable(helloDescriptor);
    writeFileSync(join(dir, "elsewhere"), "hello");
    symlinkSync(join(dir, "elsewhere"), helloPath());
    expect(await destination.has(helloDescriptor)).toBe(false);
    await destination.blob(helloDescriptor, chunks(hello));
    expect(await destination.has(helloDescriptor)).toBe(true);
  });

  it("refuses a folder that is something else, and puts nothing there", async () => {
    mkdirSync(layout, { recursive: true });
    writeFileSync(join(layout, "letter.txt"), "dear");
    expect(await codeOf(destination.has(helloDescriptor))).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(await codeOf(destination.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(readdirSync(layout)).toEqual(["letter.txt"]);
    const file = new LayoutDestination(join(layout, "letter.txt"));
    expect(await codeOf(file.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("refuses a layout of a newer version", async () => {
    mkdirSync(layout, { recursive: true });
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
    expect(await codeOf(destination.has(helloDescriptor))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("says that a folder cannot be made where a file is in the way", async () => {
    writeFileSync(join(dir, "file"), "");
    const blocked = new LayoutDestination(join(dir, "file", "layout"));
    expect(await codeOf(blocked.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("writes through no link that leads out of it, and replaces no index.json that is a link", async () => {
    const manifest = await putManifest({ one: 1 });
    await destination.tag("v1", manifest);
    const elsewhere = join(dir, "elsewhere");
    mkdirSync(join(elsewhere, "sha256"), { recursive: true });
    const bare = join(dir, "bare");
    mkdirSync(bare);
    for (const [name, target] of [
      ["blobs", bare],
      ["blobs", elsewhere],
      ["blobs/sha256", "../../../elsewhere/sha256"],
    ] as const) {
      renameSync(join(layout, name), join(dir, "aside"));
      symlinkSync(target, join(layout, name));
      expect(await codeOf(new LayoutDestination(layout).blob(helloDescriptor, chunks(hello)))).toBe("MOTE_EXISTS");
      expect(() => new LayoutDestination(layout).linkable(helloDescriptor)).toThrow("out of");
      rmSync(join(layout, name));
      renameSync(join(dir, "aside"), join(layout, name));
    }
    expect([readdirSync(join(elsewhere, "sha256")), readdirSync(bare)]).toEqual([[], []]);
    renameSync(join(layout, "blobs"), join(layout, "other"));
    symlinkSync("other", join(layout, "blobs"));
    await new LayoutDestination(layout).blob(helloDescriptor, chunks(hello));
    renameSync(join(layout, "index.json"), join(dir, "shared.json"));
    symlinkSync(join(dir, "shared.json"), join(layout, "index.json"));
    expect(await codeOf(new LayoutDestination(layout).tag("v2", manifest))).toBe("MOTE_EXISTS");
    expect(lstatSync(join(layout, "index.json")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(dir, "shared.json"), "utf8")).not.toContain("v2");
  });

  it("takes a lock that is a link to nothing for one that lost its owner", async () => {
    const manifest = await putManifest({ one: 1 });
    symlinkSync("nowhere", join(layout, "index.json.lock"));
    await destination.tag("v1", manifest);
    expect(indexJson().manifests).toHaveLength(1);
    expect(existsSync(join(layout, "index.json.lock"))).toBe(false);
  }, 60_000);

  it("removes what writers left that are gone, and nothing of those that may be there", async () => {
    await destination.blob(helloDescriptor, chunks(hello));
    const [old, young] = [".mote-0000000000000000", ".mote-1111111111111111"];
    for (const name of [old, young]) writeFileSync(join(layout, name), "");
    utimesSync(join(layout, old), 1, 1);
    const next = new LayoutDestination(layout);
    await next.has(helloDescriptor);
    await next[Symbol.asyncDispose]();
    expect(readdirSync(layout).filter((name) => name.startsWith("."))).toEqual([young]);
  });
});

describe("a name in a layout", () => {
  it("stands for the manifest that it was given last, in one entry", async () => {
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

  it("that is the manifest's own digest lists it nameless, once, and a later name takes that entry over", async () => {
    const manifest = await putManifest({ one: 1 });
    await destination.tag(manifest.digest, manifest);
    await destination.tag(manifest.digest, manifest);
    expect(indexJson().manifests).toEqual([manifest]);
    await destination.tag("v1", manifest);
    await destination.tag(manifest.digest, manifest);
    expect(indexJson().manifests).toEqual([{ ...manifest, annotations: named("v1") }]);
  });

  it("leaves entries of others as they are, with fields that are not known here", async () => {
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

  it("is given to nothing that is not there", async () => {
    expect(await codeOf(destination.tag("v1", helloDescriptor))).toBe("MOTE_NOT_FOUND");
    expect(existsSync(layout)).toBe(false);
  });

  it("and a manifest that was damaged meanwhile is rewritten", async () => {
    const manifest = await putManifest({ one: 1 });
    const path = join(layout, "blobs", "sha256", manifest.digest.slice(7));
    writeFileSync(path, "x".repeat(manifest.size));
    await putManifest({ one: 1 });
    expect(readFileSync(path, "utf8")).toBe('{"one":1}');
  });

  it("that could be misread is refused", async () => {
    const manifest = await putManifest({ one: 1 });
    for (const name of ["", "a b", "a\nb", "@0", "x".repeat(5000)]) {
      expect([name, await codeOf(destination.tag(name, manifest))]).toEqual([name, "MOTE_INVALID_NAME"]);
    }
    await destination.tag("_under.score/and-more:1", manifest);
  });

  it("is not written into an index.json that is none", async () => {
    const manifest = await putManifest({ one: 1 });
    writeFileSync(join(layout, "index.json"), "{");
    expect(await codeOf(destination.tag("v1", manifest))).toBe("MOTE_INVALID_MANIFEST");
    expect(readFileSync(join(layout, "index.json"), "utf8")).toBe("{");
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("is written in spite of a lock that a dead process left", async () => {
    const manifest = await putManifest({ one: 1 });
    writeFileSync(join(layout, "index.json.lock"), "");
    await destination.tag("v1", manifest);
    expect(indexJson().manifests).toHaveLength(1);
    expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("waits for a lock no longer than its signal says", async () => {
    const manifest = await putManifest({ one: 1 });
    writeFileSync(join(layout, "index.json.lock"), "");
    const controller = new AbortController();
    const reason = new Error("enough");
    const tagging = codeOf(destination.tag("v1", manifest, { signal: controller.signal }));
    setImmediate(() => controller.abort(reason));
    expect(await tagging).toBe(reason);
  });

  it("is lost by none of many who write at once", async () => {
    const manifest = await putManifest({ one: 1 });
    const names = Array.from({ length: 40 }, (_, at) => `v${at}`);
    await Promise.all(names.map((name) => new LayoutDestination(layout).tag(name, manifest)));
    const found = indexJson().manifests.map(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"]);
    expect(found.sort()).toEqual([...names].sort());
  });
});

describe("a layout on a disk that is", () => {
  const canMount = process.getuid?.() === 0 && mounts();
  it.skipIf(!canMount)("full says so and leaves nothing (skipped without the right to mount a tmpfs)", async () => {
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
