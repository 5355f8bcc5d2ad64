import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { childDescriptors, digestBytes, MoteError, mediaTypes, parseManifest } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { carry, makeTree, readTree, type Tree } from "../../test/file-trees.js";
import { artifact, dir, into, send, sendInto, sourceOf, tree } from "../../test/files-setup.js";
import { ownIdentity } from "../disk/process-identity.js";
import { FilesDestination } from "./files-destination.js";
import { FilesSource } from "./files-source.js";

describe("no partial files are left", () => {
  /** An artifact with these titles; the layer of the directory is not a tar. */
  it("by an artifact with a name that leads out, even if expect was not called", async () => {
    const source = artifact({ title: "good", text: "1" }, { title: "../bad", text: "2" });
    await expect(send(source)).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
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
      await expect(send(artifact({ title, text: "1" }))).rejects.toMatchObject({ code: "MOTE_INVALID_NAME" });
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  it("by layers without titles", async () => {
    const source = artifact({ text: "one" }, { text: "two", title: "" });
    await expect(send(source)).rejects.toMatchObject({ code: "MOTE_NOT_FILES" });
    expect(readdirSync(dir)).toEqual([]);
  });

  it("by an artifact whose directory is a damaged tar", async () => {
    makeTree(into, { mine: { file: "mine" } });
    const source = artifact({ title: "good", text: "1" }, { title: "folder", text: "no tar", folder: true });
    await expect(send(source)).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
    expect(readTree(into)).toEqual({ mine: { file: "mine" } });
  });

  it("by a blob with other bytes", async () => {
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

  it("by an aborted destination, which rejects with the reason", async () => {
    await using source = sourceOf(tree, "model.bin", "data");
    const reason = new Error("enough");
    const destination = new FilesDestination(into);
    const commit = destination.commit.bind(destination);
    destination.commit = () => commit({ signal: AbortSignal.abort(reason) });
    await expect(carry(source, destination)).rejects.toBe(reason);
    await destination[Symbol.asyncDispose]();
    expect(existsSync(join(dir, "deep"))).toBe(false);
  });

  it("by a destination that is used after it was closed", async () => {
    await using source = sourceOf(tree, "model.bin");
    const destination = new FilesDestination(into);
    await destination[Symbol.asyncDispose]();
    await expect(carry(source, destination)).rejects.toMatchObject({ code: "MOTE_CLOSED" });
    expect(existsSync(join(dir, "deep"))).toBe(false);
  });

  it("by killed processes, and files of running processes are not removed", async () => {
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
    await send(source);
    expect(readdirSync(into).sort()).toEqual([...stay, "model.bin"].sort());
  });

  it("even if everything exists already", async () => {
    makeTree(into, { "model.bin": { file: "weights" }, ".mote-4194305-1-00-1-0123456789abcdef/x": { file: "left" } });
    const [, boot, namespace] = /^\d+-\d+-([0-9a-f]+)-(\d+)$/.exec(ownIdentity()) ?? [];
    renameSync(
      join(into, ".mote-4194305-1-00-1-0123456789abcdef"),
      join(into, `.mote-4194305-1-${boot}-${namespace}-0123456789abcdef`),
    );
    await using source = sourceOf(tree, "model.bin");
    await send(source);
    expect(readdirSync(into)).toEqual(["model.bin"]);
  });

  it("and none is packed with its directory", async () => {
    const left = [".mote-0123456789abcdef", ".mote-archive-aZ09bC", `.mote-${ownIdentity()}-0123456789abcdef`];
    for (const name of left)
      makeTree(into, { [`data/${name}/x`]: { file: "left" }, [`data/sub/${name}`]: { file: "l" } });
    makeTree(into, { "data/a": { file: "mine" }, "data/.mote-mine": { file: "mine" } });
    await using source = new FilesSource([{ path: join(into, "data"), title: "data" }], { temporaryDir: dir });
    sendInto(join(dir, "back"));
    await send(source);
    expect(readTree(into)).toEqual({
      "data/.mote-mine": { file: "mine" },
      "data/a": { file: "mine" },
      "data/sub": { folder: true },
    });
  });
});

describe("a symbolic link in the directory is never followed", () => {
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
        await expect(send(source, { overwrite })).rejects.toMatchObject({ code: "MOTE_EXISTS" });
        expect(readTree(into)).toEqual(there);
      }
    }
  });

  it("and no link of the artifact leads through it", async () => {
    makeTree(into, { "data/mine": { link: elsewhere() }, "data/abs": { link: join(into, "data") } });
    for (const [target, code] of [
      ["mine/kept", "MOTE_INVALID_ARCHIVE"],
      ["abs/mine", "MOTE_INVALID_ARCHIVE"],
      ["abs/a", undefined],
    ] as const) {
      await using source = sourceOf({ "data/a": { file: "a" }, "data/through": { link: target } }, "data");
      const outcome = await send(source).then(
        () => undefined,
        (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
      );
      expect([target, outcome]).toEqual([target, code]);
    }
  });

  it("unless it leads to the directory itself", async () => {
    mkdirSync(join(dir, "real"));
    symlinkSync("real", join(dir, "named"));
    sendInto(join(dir, "named"));
    await using source = sourceOf(tree, "model.bin", "data");
    await send(source);
    await send(source);
    expect(readTree(join(dir, "real"))).toEqual(tree);
    expect(lstatSync(into).isSymbolicLink()).toBe(true);
  });
});
