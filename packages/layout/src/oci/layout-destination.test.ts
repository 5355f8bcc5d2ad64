import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { digestBytes, MoteError } from "@mote/core";
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
import { OciArchiveDestination } from "../archive/oci-archive-destination.js";
import { LayoutDestination } from "./layout-destination.js";

const hello = text("hello");
const helloDescriptor = describeBytes(hello);
const helloPath = () => join(layout, "blobs", "sha256", helloDescriptor.digest.slice(7));

describe("a layout as destination", () => {
  it("is created with the first blob, and has it afterwards", async () => {
    expect(await destination.has(helloDescriptor)).toBe(false);
    expect(existsSync(layout)).toBe(false);
    await destination.blob(helloDescriptor, chunks(text("hel"), text("lo")));
    expect(await destination.has(helloDescriptor)).toBe(true);
    expect(await destination.has({ ...helloDescriptor, size: 6 })).toBe(false);
    expect(readFileSync(helloPath(), "utf8")).toBe("hello");
    expect(JSON.parse(readFileSync(join(layout, "oci-layout"), "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
    expect(indexJson().manifests).toEqual([]);
  });

  it("stores digests of other algorithms in their own directories", async () => {
    const descriptor = { ...helloDescriptor, digest: digestBytes(hello, "sha512") };
    await destination.blob(descriptor, chunks(hello));
    expect(existsSync(join(layout, "blobs", "sha512", descriptor.digest.slice(7)))).toBe(true);
  });

  const failures = [
    ["of the wrong size", [text("hell")], "MOTE_SIZE_MISMATCH"],
    ["of the wrong bytes", [text("hullo")], "MOTE_DIGEST_MISMATCH"],
    ["that is interrupted", [text("hel"), new MoteError("MOTE_UNREACHABLE", "cut")], "MOTE_UNREACHABLE"],
  ] as const;
  for (const [what, parts, code] of failures) {
    it(`stores nothing of a blob ${what}, and removes what it created when it is closed`, async () => {
      expect(await codeOf(destination.blob(helloDescriptor, chunks(...parts)))).toBe(code);
      expect(readdirSync(layout).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
      expect(readdirSync(join(layout, "blobs", "sha256"))).toEqual([]);
      await destination[Symbol.asyncDispose]();
      await destination[Symbol.asyncDispose]();
      expect(readdirSync(dir)).toEqual([]);
    });
  }

  it("does not remove files of other processes and directories that it did not create when it is closed", async () => {
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

  it("rejects blobs after it was closed", async () => {
    await destination[Symbol.asyncDispose]();
    expect(await codeOf(destination.has(helloDescriptor))).toBe("MOTE_CLOSED");
    expect(await codeOf(destination.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_CLOSED");
    expect(await codeOf(destination.tag("v1", helloDescriptor))).toBe("MOTE_CLOSED");
    const archive = new OciArchiveDestination(join(dir, "archive.tar"));
    await archive[Symbol.asyncDispose]();
    expect(await codeOf(archive.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_CLOSED");
    expect(readdirSync(dir)).toEqual([]);
  });

  it("rejects with the reason of the signal when aborted", async () => {
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

  it("returns the path to which a blob can be linked", () => {
    expect(destination.linkable(helloDescriptor)).toBe(helloPath());
    expect(existsSync(join(layout, "blobs", "sha256"))).toBe(true);
  });

  it("creates again what another process removed", async () => {
    const manifest = await putManifest({ one: 1 });
    for (const name of ["blobs/sha256", "blobs", "."]) {
      rmSync(join(layout, name), { recursive: true });
      await destination.blob(helloDescriptor, chunks(hello));
      expect(existsSync(helloPath())).toBe(true);
    }
    rmSync(join(layout, "oci-layout"));
    expect(await putManifest({ one: 1 })).toEqual(manifest);
    expect(existsSync(join(layout, "oci-layout"))).toBe(true);
  });

  it("does not treat a symbolic link as a blob, and replaces it", async () => {
    destination.linkable(helloDescriptor);
    writeFileSync(join(dir, "elsewhere"), "hello");
    symlinkSync(join(dir, "elsewhere"), helloPath());
    expect(await destination.has(helloDescriptor)).toBe(false);
    await destination.blob(helloDescriptor, chunks(hello));
    expect(await destination.has(helloDescriptor)).toBe(true);
  });

  it("rejects a directory of something else, and writes nothing there", async () => {
    mkdirSync(layout, { recursive: true });
    writeFileSync(join(layout, "letter.txt"), "dear");
    expect(await codeOf(destination.has(helloDescriptor))).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(await codeOf(destination.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_UNSUPPORTED_FORMAT");
    expect(readdirSync(layout)).toEqual(["letter.txt"]);
    const file = new LayoutDestination(join(layout, "letter.txt"));
    expect(await codeOf(file.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("rejects a layout of a newer version", async () => {
    mkdirSync(layout, { recursive: true });
    writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
    expect(await codeOf(destination.has(helloDescriptor))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("reports that a directory cannot be created because a file is in the way", async () => {
    writeFileSync(join(dir, "file"), "");
    const blocked = new LayoutDestination(join(dir, "file", "layout"));
    expect(await codeOf(blocked.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it("does not write through links that lead out of it, or replace an index.json that is a link", async () => {
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
      for (const each of [destination, new LayoutDestination(layout)]) {
        expect(await codeOf(each.blob(helloDescriptor, chunks(hello)))).toBe("MOTE_EXISTS");
        expect(() => each.linkable(helloDescriptor)).toThrow("out of");
      }
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

  it("treats a dangling link in place of a lock as an orphan", async () => {
    const manifest = await putManifest({ one: 1 });
    symlinkSync("nowhere", join(layout, "index.json.lock"));
    await destination.tag("v1", manifest);
    expect(indexJson().manifests).toHaveLength(1);
    expect(existsSync(join(layout, "index.json.lock"))).toBe(false);
  }, 60_000);

  it("removes files of writers that have ended, and none of writers that may be running", async () => {
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
