import { execFileSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { childDescriptors, digestBytes, parseManifest } from "@mote/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeTree, readTree, type Tree } from "../../test/file-trees.js";
import { artifact, dir, encode, into, send, sendInto, sourceOf, tree } from "../../test/files-setup.js";
import { FilesDestination } from "./files-destination.js";

describe("an artifact's files", () => {
  it("are one file named by its digest if the only layer has no title", async () => {
    await send(artifact({ text: "a module" }));
    const [name = "", ...others] = readdirSync(into);
    expect([name, others]).toEqual([digestBytes(encode("a module")).slice("sha256:".length, 19), []]);
    expect(readFileSync(join(into, name), "utf8")).toBe("a module");
    await send(artifact({ text: "a module" }));
    expect(readdirSync(into)).toEqual([name]);
  });

  it("are restored unchanged", async () => {
    await using source = sourceOf(tree, "model.bin", "data");
    await send(source);
    expect(readTree(into)).toEqual(tree);
  });

  it("are restored for any content of directories", async () => {
    const name = fc
      .oneof(fc.constantFrom("a", "b", "c", "\u{fffd}"), fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }))
      .filter(
        (text) =>
          !/[/\\\p{Cc}\p{Cs}]|^\.\.?$|^[A-Za-z]:/u.test(text) &&
          Buffer.byteLength(text) < 200 &&
          text.normalize("NFC") === text,
      );
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
    const what = fc.oneof(
      fc.string({ maxLength: 2000 }).map((file) => ({ file })),
      fc.nat(200_000).map((size) => ({ program: "x".repeat(size) })),
      fc.constant({ folder: true as const }),
      name.map((link) => ({ link })),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(path, what, { noNullPrototype: true, maxKeys: 12 }), async (any) => {
        const apart = Object.entries(any).filter(
          ([one]) => !Object.keys(any).some((other) => other.startsWith(`${one}/`)),
        );
        const random: Tree = {
          "top/a-file": { file: "" },
          ...Object.fromEntries(apart.map(([at, one]) => [`top/${at}`, one])),
        };
        rmSync(into, { recursive: true, force: true });
        await using source = sourceOf(random, "top");
        await send(source);
        expect(readTree(into)).toEqual(random);
      }),
      { numRuns: 40 },
    );
  });

  it("are added to a directory, and sending them again changes nothing", async () => {
    makeTree(into, { "data/mine": { file: "mine" }, other: { file: "other" } });
    await using source = sourceOf(tree, "model.bin", "data");
    await send(source);
    const before = statSync(join(into, "model.bin")).ino;
    await send(source);
    expect(readTree(into)).toEqual({ ...tree, "data/mine": { file: "mine" }, other: { file: "other" } });
    expect(statSync(join(into, "model.bin")).ino).toBe(before);
  });

  it("that exist already need no bytes", async () => {
    await using source = sourceOf(tree, "model.bin");
    makeTree(into, { "model.bin": { file: "weights" } });
    await using destination = new FilesDestination(into);
    const root = await source.resolve();
    const manifest = parseManifest(await source.manifest(root), root.mediaType);
    await destination.expect(manifest);
    const [, layer] = childDescriptors(manifest);
    expect(layer && (await destination.has(layer))).toBe(true);
  });

  it("with the same content and two names are two files", async () => {
    await using source = sourceOf({ a: { file: "same" }, b: { file: "same" } }, "a", "b");
    await send(source);
    writeFileSync(join(into, "a"), "other");
    expect(readFileSync(join(into, "b"), "utf8")).toBe("same");
  });

  it("linked out of a cache are the user's own files, or the cache's if requested", async () => {
    for (const link of [false, true]) {
      await using source = sourceOf(tree, "model.bin");
      await using destination = new FilesDestination(join(into, String(link)), { link });
      const cached = join(dir, `cached-${link}`);
      writeFileSync(cached, "weights", { mode: 0o444 });
      const root = await source.resolve();
      const bytes = await source.manifest(root);
      const [, layer] = childDescriptors(parseManifest(bytes, root.mediaType));
      if (layer === undefined) throw new Error("no layer");
      linkSync(cached, destination.linkable(layer));
      await destination.manifest(root, bytes);
      await destination.commit();
      const there = statSync(join(into, String(link), "model.bin"));
      expect(there.ino === statSync(cached).ino).toBe(link);
      expect(there.mode & 0o200).toBe(link ? 0 : 0o200);
      expect(statSync(cached).mode & 0o777).toBe(0o444);
    }
  });
});

describe("an existing file in the way", () => {
  const blocked: readonly (readonly [string, Tree])[] = [
    ["another file", { "model.bin": { file: "mine" } }],
    ["another file of the same size", { "model.bin": { file: "WEIGHTS" } }],
    ["another file in a folder", { "data/a": { file: "ONE" } }],
    ["a link that leads elsewhere", { "data/sub/link": { link: "../run" } }],
    ["a link in the place of a file", { "model.bin": { link: "other" }, other: { file: "weights" } }],
  ];

  it.each(blocked)("is kept, and nothing is written: %s", async (_what, there) => {
    makeTree(into, there);
    await using source = sourceOf(tree, "data", "model.bin");
    await expect(send(source)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    expect(readTree(into)).toEqual(there);
  });

  it.each(blocked)("is replaced if requested: %s", async (_what, there) => {
    makeTree(into, there);
    await using source = sourceOf(tree, "data", "model.bin");
    await send(source, { overwrite: true });
    expect(readTree(into)).toEqual({ ...there, ...tree });
  });

  it("is never replaced if a directory is in place of a file, or a file or a link in place of a directory", async () => {
    mkdirSync(join(dir, "elsewhere"));
    for (const there of [
      { "model.bin/mine": { file: "mine" } },
      { data: { file: "mine" } },
      { data: { link: join(dir, "elsewhere") } },
    ] satisfies Tree[]) {
      rmSync(into, { recursive: true, force: true });
      makeTree(into, there);
      await using source = sourceOf(tree, "data", "model.bin");
      await expect(send(source, { overwrite: true })).rejects.toMatchObject({ code: "MOTE_EXISTS" });
      expect(readTree(into)).toEqual(there);
    }
    expect(readdirSync(join(dir, "elsewhere"))).toEqual([]);
  });

  it("is never replaced if it is a FIFO", async () => {
    for (const [name, at] of [
      ["model.bin", "model.bin"],
      ["data", "data/weights.bin"],
    ] as const) {
      const fifo = join(into, at);
      mkdirSync(dirname(fifo), { recursive: true });
      execFileSync("mkfifo", [fifo]);
      await using source = sourceOf({ [at]: { file: "new" } }, name);
      await expect(send(source, { overwrite: true })).rejects.toMatchObject({
        code: "MOTE_EXISTS",
        details: { path: fifo, isReplaceable: false },
      });
      expect(lstatSync(fifo).isFIFO()).toBe(true);
      rmSync(into, { recursive: true });
    }
  });

  it("is kept in place of the directory itself", async () => {
    mkdirSync(join(dir, "deep"));
    writeFileSync(into, "mine");
    await using source = sourceOf(tree, "model.bin");
    await expect(send(source)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    symlinkSync("nowhere", join(dir, "dangling"));
    sendInto(join(dir, "dangling"));
    await expect(send(source)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
  });
});
