import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RawEntry, rawTar } from "../../test/raw-tar.js";
import { readLayer } from "../tar/read-layer.js";
import { LayerStack } from "./layer-stack.js";
import { placeImageFiles } from "./place-image-files.js";
import { type SelectedFile, selectBelow } from "./selection.js";
import { selectionTar } from "./selection-tar.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-rootfs-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function stackOf(...layers: readonly (readonly RawEntry[])[]): LayerStack {
  return new LayerStack(
    layers.map((entries, at) => ({
      what: `layer ${at}`,
      entries: () => readLayer(Readable.from([rawTar(entries)]), `layer ${at}`),
    })),
  );
}

async function selected(stack: LayerStack, path: string, name: string): Promise<SelectedFile[]> {
  const found: SelectedFile[] = [];
  for await (const one of selectBelow(stack, await stack.resolve(path), name)) found.push(one);
  return found;
}

const file = (name: string, text = name, mode = 0o644): RawEntry => ({ name, flag: "0", text, mode });
const folder = (name: string, mode = 0o755): RawEntry => ({ name, flag: "5", mode });
const link = (name: string, target: string): RawEntry => ({ name, flag: "2", link: target });
const hardLink = (name: string, target: string): RawEntry => ({ name, flag: "1", link: target });

const image = [
  [
    folder("etc/", 0o500),
    file("etc/shadow", "secret", 0o000),
    folder("tmp/", 0o1777),
    file("bin/su", "su", 0o4755),
    hardLink("bin/sudo", "bin/su"),
    file("gone"),
  ],
  [
    file(".wh.gone"),
    link("var/run", "/run"),
    link("bin/sh", "/bin/su"),
    link("etc/mtab", "../../../proc/mounts"),
    { name: "dev/null", flag: "3" },
    file("big", "b".repeat(200_000)),
  ],
];

describe("the files of an image", () => {
  it("are written with their modes, without special bits, and links that lead to the same files", async () => {
    const stack = stackOf(...image);
    const report = await placeImageFiles(stack, await selected(stack, "/", "."), join(dir, "root"));
    const at = (path: string) => join(dir, "root", path);
    expect(readdirSync(at(".")).sort()).toEqual(["big", "bin", "dev", "etc", "tmp", "var"]);
    expect(readFileSync(at("bin/sudo"), "utf8")).toBe("su");
    expect(readFileSync(at("big"), "utf8")).toHaveLength(200_000);
    expect(lstatSync(at("bin/su")).nlink).toBe(2);
    const mode = (path: string) => lstatSync(at(path)).mode & 0o7777;
    expect([mode("bin/su"), mode("etc"), mode("etc/shadow")]).toEqual([0o755, 0o700, 0o400]);
    expect(mode("tmp") & 0o7002 & process.umask()).toBe(0);
    expect([readlinkSync(at("var/run")), readlinkSync(at("bin/sh")), readlinkSync(at("etc/mtab"))]).toEqual([
      "../run",
      "../bin/su",
      "../proc/mounts",
    ]);
    expect(report).toMatchObject({
      files: 4,
      links: 3,
      skipped: [{ path: "dev/null", reason: expect.stringContaining("device") }],
    });
  });

  it("are not written through links, and links that would lead out are left out", async () => {
    mkdirSync(join(dir, "out"));
    const stack = stackOf(
      [link("a", "/"), link("b", "../../out"), link("c", "b/../../x"), file("d/x")],
      [file("a/through", "inside"), link("d/up", "../../../../out"), link("e", "/../../etc"), link("f", "")],
    );
    await placeImageFiles(stack, await selected(stack, "/", "."), join(dir, "root"));
    expect(readdirSync(join(dir, "out"))).toEqual([]);
    expect(readFileSync(join(dir, "root/a/through"), "utf8")).toBe("inside");
    expect(readlinkSync(join(dir, "root/b"))).toBe("out");
    expect(readlinkSync(join(dir, "root/d/up"))).toBe("../out");
    expect(readlinkSync(join(dir, "root/e"))).toBe("etc");
    expect(readdirSync(join(dir, "root")).sort()).toEqual(["a", "b", "d", "e"]);
  });

  it("of one folder are written under its name, without links out of it", async () => {
    const stack = stackOf([
      file("opt/app/x"),
      link("opt/app/abs", "/opt/app/x"),
      link("opt/app/out", "/etc/passwd"),
      link("opt/app/up", "../../../x"),
    ]);
    const report = await placeImageFiles(stack, await selected(stack, "opt/app", "app"), dir);
    expect(readdirSync(join(dir, "app")).sort()).toEqual(["abs", "x"]);
    expect(readFileSync(join(dir, "app/abs"), "utf8")).toBe("opt/app/x");
    expect(report.skipped.map(({ path }) => path).sort()).toEqual(["app/out", "app/up"]);
  });

  it("replace nothing without being told to, and never a link or a folder in the destination", async () => {
    const stack = stackOf([file("x", "new"), file("d/y")]);
    const everything = await selected(stack, "/", ".");
    writeFileSync(join(dir, "x"), "old");
    await expect(placeImageFiles(stack, everything, dir)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    await placeImageFiles(stack, everything, dir, { overwrite: true });
    expect(readFileSync(join(dir, "x"), "utf8")).toBe("new");
    rmSync(join(dir, "d"), { recursive: true });
    symlinkSync(tmpdir(), join(dir, "d"));
    await expect(placeImageFiles(stack, everything, dir, { overwrite: true })).rejects.toMatchObject({
      code: "MOTE_EXISTS",
    });
    expect(readdirSync(dir).sort()).toEqual(["d", "x"]);
  });

  it("are a tar with their modes, owners and links", async () => {
    const stack = stackOf(...image);
    const bytes: Uint8Array[] = [];
    for await (const chunk of selectionTar(stack, await selected(stack, "/bin", "bin"))) bytes.push(chunk);
    const entries: unknown[] = [];
    for await (const { name, type, mode, linkName } of readLayer(Readable.from(bytes), "tar"))
      entries.push([name, type, mode, linkName]);
    expect(entries).toEqual([
      ["bin/", "folder", 0o755, ""],
      ["bin/su", "file", 0o4755, ""],
      ["bin/sudo", "hard-link", 0o4755, "bin/su"],
      ["bin/sh", "link", 0o644, "/bin/su"],
    ]);
  });
});
