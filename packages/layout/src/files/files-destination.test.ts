import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type ContentSource,
  childDescriptors,
  type Descriptor,
  digestBytes,
  MoteError,
  mediaTypes,
  parseManifest,
} from "@mote/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { carry, makeTree, readTree, type Tree } from "../../test/file-trees.js";
import { ownIdentity } from "../disk/process-identity.js";
import { FilesDestination, type FilesDestinationOptions } from "./files-destination.js";
import { FilesSource } from "./files-source.js";

const encode = (text: string) => new TextEncoder().encode(text);
let dir: string;
let into: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-files-"));
  into = join(dir, "deep", "into");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const tree: Tree = {
  "data/a": { file: "one" },
  "data/run": { program: "two" },
  "data/sub/link": { link: "../a" },
  "model.bin": { file: "weights" },
};

function sourceOf(one: Tree, ...titles: readonly string[]): FilesSource {
  const from = mkdtempSync(join(dir, "from-"));
  makeTree(from, one);
  return new FilesSource(
    titles.map((title) => ({ path: join(from, title), title })),
    { temporaryDir: dir },
  );
}

async function bring(source: ContentSource, options: FilesDestinationOptions = {}): Promise<void> {
  await using destination = new FilesDestination(into, options);
  await carry(source, destination);
}

function artifact(
  ...layers: readonly { readonly title?: string; readonly text: string; readonly folder?: boolean }[]
): ContentSource {
  const blobs = new Map<string, Uint8Array>();
  const add = (bytes: Uint8Array, mediaType: string, annotations?: Readonly<Record<string, string>>): Descriptor => {
    const digest = digestBytes(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength, ...(annotations ? { annotations } : {}) };
  };
  const manifest = encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: add(encode("{}"), mediaTypes.ociEmpty),
      layers: layers.map(({ title, text, folder }) =>
        add(encode(text), mediaTypes.octetStream, {
          ...(title === undefined ? {} : { "org.opencontainers.image.title": title }),
          ...(folder ? { "io.deis.oras.content.unpack": "true" } : {}),
        }),
      ),
    }),
  );
  const root = { mediaType: mediaTypes.ociManifest, digest: digestBytes(manifest), size: manifest.byteLength };
  return {
    resolve: async () => root,
    manifest: async () => manifest,
    blob: async (descriptor) => ({
      info: descriptor,
      async *[Symbol.asyncIterator]() {
        yield blobs.get(descriptor.digest) ?? new Uint8Array(0);
      },
      async close() {},
      async [Symbol.asyncDispose]() {},
    }),
  };
}

describe("an artifact's files", () => {
  it("are one, by a name of the digest, if its only layer has no title", async () => {
    await bring(artifact({ text: "a module" }));
    const [name = "", ...others] = readdirSync(into);
    expect([name, others]).toEqual([digestBytes(encode("a module")).slice("sha256:".length, 19), []]);
    expect(readFileSync(join(into, name), "utf8")).toBe("a module");
    await bring(artifact({ text: "a module" }));
    expect(readdirSync(into)).toEqual([name]);
  });

  it("come back as they were", async () => {
    await using source = sourceOf(tree, "model.bin", "data");
    await bring(source);
    expect(readTree(into)).toEqual(tree);
  });

  it("come back whatever is in the folders", async () => {
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
        await bring(source);
        expect(readTree(into)).toEqual(random);
      }),
      { numRuns: 40 },
    );
  });

  it("are added to what is in the folder, and brought again change nothing", async () => {
    makeTree(into, { "data/mine": { file: "mine" }, other: { file: "other" } });
    await using source = sourceOf(tree, "model.bin", "data");
    await bring(source);
    const before = statSync(join(into, "model.bin")).ino;
    await bring(source);
    expect(readTree(into)).toEqual({ ...tree, "data/mine": { file: "mine" }, other: { file: "other" } });
    expect(statSync(join(into, "model.bin")).ino).toBe(before);
  });

  it("that are there already need no bytes", async () => {
    await using source = sourceOf(tree, "model.bin");
    makeTree(into, { "model.bin": { file: "weights" } });
    await using destination = new FilesDestination(into);
    const root = await source.resolve();
    const manifest = parseManifest(await source.manifest(root), root.mediaType);
    await destination.expect(manifest);
    const [, layer] = childDescriptors(manifest);
    expect(layer && (await destination.has(layer))).toBe(true);
  });

  it("of one content under two names are two files", async () => {
    await using source = sourceOf({ a: { file: "same" }, b: { file: "same" } }, "a", "b");
    await bring(source);
    writeFileSync(join(into, "a"), "other");
    expect(readFileSync(join(into, "b"), "utf8")).toBe("same");
  });

  it("linked out of a cache are files of one's own, or where that is asked for the cache's", async () => {
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

describe("what stands in the way", () => {
  const blocked: readonly (readonly [string, Tree])[] = [
    ["another file", { "model.bin": { file: "mine" } }],
    ["another file of the same size", { "model.bin": { file: "WEIGHTS" } }],
    ["another file in a folder", { "data/a": { file: "ONE" } }],
    ["a link that leads elsewhere", { "data/sub/link": { link: "../run" } }],
    ["a link in the place of a file", { "model.bin": { link: "other" }, other: { file: "weights" } }],
  ];

  it.each(blocked)("%s is kept, and nothing is brought", async (_what, there) => {
    makeTree(into, there);
    await using source = sourceOf(tree, "data", "model.bin");
    await expect(bring(source)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    expect(readTree(into)).toEqual(there);
  });

  it.each(blocked)("%s is replaced where that is asked for", async (_what, there) => {
    makeTree(into, there);
    await using source = sourceOf(tree, "data", "model.bin");
    await bring(source, { overwrite: true });
    expect(readTree(into)).toEqual({ ...there, ...tree });
  });

  it("a folder for a file, a file for a folder, and a link for a folder are kept in any case", async () => {
    mkdirSync(join(dir, "elsewhere"));
    for (const there of [
      { "model.bin/mine": { file: "mine" } },
      { data: { file: "mine" } },
      { data: { link: join(dir, "elsewhere") } },
    ] satisfies Tree[]) {
      rmSync(into, { recursive: true, force: true });
      makeTree(into, there);
      await using source = sourceOf(tree, "data", "model.bin");
      await expect(bring(source, { overwrite: true })).rejects.toMatchObject({ code: "MOTE_EXISTS" });
      expect(readTree(into)).toEqual(there);
    }
    expect(readdirSync(join(dir, "elsewhere"))).toEqual([]);
  });

  it("a FIFO is kept in any case, for a file and below a folder", async () => {
    for (const [name, at] of [
      ["model.bin", "model.bin"],
      ["data", "data/weights.bin"],
    ] as const) {
      const fifo = join(into, at);
      mkdirSync(dirname(fifo), { recursive: true });
      execFileSync("mkfifo", [fifo]);
      await using source = sourceOf({ [at]: { file: "new" } }, name);
      await expect(bring(source, { overwrite: true })).rejects.toMatchObject({
        code: "MOTE_EXISTS",
        details: { path: fifo, isReplaceable: false },
      });
      expect(lstatSync(fifo).isFIFO()).toBe(true);
      rmSync(into, { recursive: true });
    }
  });

  it("a file in the place of the folder itself is kept", async () => {
    mkdirSync(join(dir, "deep"));
    writeFileSync(into, "mine");
    await using source = sourceOf(tree, "model.bin");
    await expect(bring(source)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
    symlinkSync("nowhere", join(dir, "dangling"));
    into = join(dir, "dangling");
    await expect(bring(source)).rejects.toMatchObject({ code: "MOTE_EXISTS" });
  });
});

describe("nothing half-written is left", () => {
  /** An artifact of layers with these titles; a folder's layer is not a tar. */
  it("of an artifact with a name that leads out, also if expect was not called before", async () => {
    const source = artifact({ title: "good", text: "1" }, { title: "../bad", text: "2" });
    await expect(bring(source)).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
    expect(existsSync(join(dir, "deep"))).toBe(false);
    const destination = new FilesDestination(into);
    const root = await source.resolve("");
    const bytes = await source.manifest(root);
    for (const descriptor of childDescriptors(parseManifest(bytes, root.mediaType))) {
      await destination.blob(descriptor, await source.blob(descriptor));
    }
    await expect(destination.manifest(root, bytes)).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
    await destination[Symbol.asyncDispose]();
    expect(readdirSync(dir)).toEqual([]);
  });

  it.each(["a".repeat(256), `é/${"é".repeat(128)}`, `${"d/".repeat(255)}file`, "ab/".repeat(2000).slice(0, 4100)])(
    "of an artifact with a name that is too long or too deep",
    async (title) => {
      await expect(bring(artifact({ title, text: "1" }))).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  it("of layers without titles", async () => {
    const source = artifact({ text: "one" }, { text: "two", title: "" });
    await expect(bring(source)).rejects.toMatchObject({ code: "MOTE_NOT_FILES" });
    expect(readdirSync(dir)).toEqual([]);
  });

  it("of an artifact whose folder is a damaged tar", async () => {
    makeTree(into, { mine: { file: "mine" } });
    const source = artifact({ title: "good", text: "1" }, { title: "folder", text: "no tar", folder: true });
    await expect(bring(source)).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    expect(readTree(into)).toEqual({ mine: { file: "mine" } });
  });

  it("of a blob of other bytes", async () => {
    await using destination = new FilesDestination(into);
    const descriptor = { mediaType: mediaTypes.octetStream, digest: digestBytes(new Uint8Array(2)), size: 2 };
    async function* lies() {
      yield new Uint8Array([1, 2]);
    }
    await expect(destination.blob(descriptor, lies())).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    await destination[Symbol.asyncDispose]();
    await destination[Symbol.asyncDispose]();
    expect(readdirSync(dir)).toEqual([]);
  });

  it("by one that is aborted, whose reason it is", async () => {
    await using source = sourceOf(tree, "model.bin", "data");
    const reason = new Error("enough");
    const destination = new FilesDestination(into);
    const commit = destination.commit.bind(destination);
    destination.commit = () => commit({ signal: AbortSignal.abort(reason) });
    await expect(carry(source, destination)).rejects.toBe(reason);
    await destination[Symbol.asyncDispose]();
    expect(existsSync(join(dir, "deep"))).toBe(false);
  });

  it("by one that is used after it was closed", async () => {
    await using source = sourceOf(tree, "model.bin");
    const destination = new FilesDestination(into);
    await destination[Symbol.asyncDispose]();
    await expect(carry(source, destination)).rejects.toMatchObject({ code: "MOTE_CLOSED" });
    expect(existsSync(join(dir, "deep"))).toBe(false);
  });

  it("by processes that were killed; what a living process may use stays", async () => {
    const id = "0123456789abcdef";
    const [pid, start, boot, namespace] = ownIdentity().split("-");
    const stay = [`.mote-${ownIdentity()}-${id}`, `.mote-${pid}-${start}-${boot}-1-${id}`, `.mote-${id}`, ".mote-mine"];
    const go = [
      `.mote-${pid}-1-${boot}-${namespace}-${id}`,
      `.mote-4194305-${start}-${boot}-${namespace}-${id}`,
      `.mote-${pid}-${start}-00-${namespace}-${id}`,
      `.mote-${pid}-${start}-${boot}-2-${id}`,
    ];
    for (const name of [...stay, ...go]) makeTree(into, { [`${name}/x`]: { file: "left" } });
    for (const name of go.slice(2)) utimesSync(join(into, name), 1, 1);
    for (const name of go.slice(2)) utimesSync(join(into, name, "x"), 1, 1);
    utimesSync(join(into, stay[1] ?? ""), 1, 1);
    await using source = sourceOf(tree, "model.bin");
    await bring(source);
    expect(readdirSync(into).sort()).toEqual([...stay, "model.bin"].sort());
  });

  it("even if everything is there already", async () => {
    makeTree(into, { "model.bin": { file: "weights" }, ".mote-4194305-1-00-1-0123456789abcdef/x": { file: "left" } });
    const [, boot, namespace] = /^\d+-\d+-([0-9a-f]+)-(\d+)$/.exec(ownIdentity()) ?? [];
    renameSync(
      join(into, ".mote-4194305-1-00-1-0123456789abcdef"),
      join(into, `.mote-4194305-1-${boot}-${namespace}-0123456789abcdef`),
    );
    await using source = sourceOf(tree, "model.bin");
    await bring(source);
    expect(readdirSync(into)).toEqual(["model.bin"]);
  });

  it("nor packed with the folder that it is in", async () => {
    const left = [".mote-0123456789abcdef", ".mote-archive-aZ09bC", `.mote-${ownIdentity()}-0123456789abcdef`];
    for (const name of left)
      makeTree(into, { [`data/${name}/x`]: { file: "left" }, [`data/sub/${name}`]: { file: "l" } });
    makeTree(into, { "data/a": { file: "mine" }, "data/.mote-mine": { file: "mine" } });
    await using source = new FilesSource([{ path: join(into, "data"), title: "data" }], { temporaryDir: dir });
    into = join(dir, "back");
    await bring(source);
    expect(readTree(into)).toEqual({
      "data/.mote-mine": { file: "mine" },
      "data/a": { file: "mine" },
      "data/sub": { folder: true },
    });
  });
});

describe("a symbolic link in the folder is never followed", () => {
  const elsewhere = () => join(dir, "elsewhere");
  beforeEach(() => makeTree(elsewhere(), { kept: { file: "kept" } }));
  afterEach(() => expect(readTree(elsewhere())).toEqual({ kept: { file: "kept" } }));

  it.each([
    ["in the place of a folder of a file", { "a/b": { file: "x" } }, ["a/b"]],
    ["in the place of a folder within it", { "a/b/c/d": { file: "x" } }, ["a/b/c/d"]],
    ["in the place of a folder that is unpacked", { "a/b/c/d": { file: "x" } }, ["a/b"]],
    ["in the place of a folder within one that is unpacked", { "a/b/c/d": { file: "x" } }, ["a"]],
  ] satisfies [string, Tree, string[]][])("%s", async (_what, files, titles) => {
    for (const target of [elsewhere(), "../other"]) {
      for (const overwrite of [false, true]) {
        rmSync(into, { recursive: true, force: true });
        const there: Tree = { "other/x": { file: "mine" }, [titles[0] === "a/b" ? "a" : "a/b"]: { link: target } };
        makeTree(into, there);
        await using source = sourceOf(files, ...titles);
        await expect(bring(source, { overwrite })).rejects.toMatchObject({ code: "MOTE_EXISTS" });
        expect(readTree(into)).toEqual(there);
      }
    }
  });

  it("nor led through by a link that is brought", async () => {
    makeTree(into, { "data/mine": { link: elsewhere() }, "data/abs": { link: join(into, "data") } });
    for (const [target, code] of [
      ["mine/kept", "MOTE_INVALID_ARCHIVE"],
      ["abs/mine", "MOTE_INVALID_ARCHIVE"],
      ["abs/a", undefined],
    ] as const) {
      await using source = sourceOf({ "data/a": { file: "a" }, "data/through": { link: target } }, "data");
      const outcome = await bring(source).then(
        () => undefined,
        (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
      );
      expect([target, outcome]).toEqual([target, code]);
    }
  });

  it("unless it leads to the folder itself", async () => {
    mkdirSync(join(dir, "real"));
    symlinkSync("real", join(dir, "named"));
    into = join(dir, "named");
    await using source = sourceOf(tree, "model.bin", "data");
    await bring(source);
    await bring(source);
    expect(readTree(join(dir, "real"))).toEqual(tree);
    expect(lstatSync(into).isSymbolicLink()).toBe(true);
  });
});
