import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type RawEntry, rawTar } from "../../test/raw-tar.js";
import { readLayer } from "../tar/read-layer.js";
import { LayerStack } from "./layer-stack.js";

const file = (name: string, text = name): RawEntry => ({ name, flag: "0", text });
const folder = (name: string): RawEntry => ({ name, flag: "5" });
const link = (name: string, target: string): RawEntry => ({ name, flag: "2", link: target });
const hardLink = (name: string, target: string): RawEntry => ({ name, flag: "1", link: target });

/** Returns a stack of layers, from the base up, and which of them have been read. */
function stackOf(...layers: readonly (readonly RawEntry[])[]): {
  readonly stack: LayerStack;
  readonly read: Set<number>;
} {
  const read = new Set<number>();
  const readable = layers.map((entries, at) => ({
    what: `layer ${at}`,
    async *entries() {
      read.add(at);
      yield* readLayer(Readable.from([gzipSync(rawTar(entries))]), `layer ${at}`);
    },
  }));
  return { stack: new LayerStack(readable), read };
}

async function textOf(stack: LayerStack, path: string): Promise<string> {
  let text = "";
  for await (const chunk of stack.content(await stack.resolve(path))) text += new TextDecoder().decode(chunk);
  return text;
}

async function pathsOf(stack: LayerStack, below = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of stack.walk(below)) paths.push(path);
  return paths.sort();
}

const absent = { code: "MOTE_NOT_FOUND" };

describe("the layers of an image", () => {
  it("are read from the top, and only as far down as needed", async () => {
    const { stack, read } = stackOf([file("etc/passwd")], [file("usr/x")], [folder("app/"), file("app/main", "top")]);
    expect(await textOf(stack, "/app/main")).toBe("top");
    expect([...read]).toEqual([2]);
    expect(await textOf(stack, "usr/x")).toBe("usr/x");
    expect([...read]).toEqual([2, 1]);
  });

  it("may end without zero blocks, may be empty, but must not be cut", async () => {
    const ends = 1024;
    const tar = rawTar([file("a")]);
    const withoutEnd = tar.subarray(0, tar.byteLength - ends);
    const stack = (...layers: Uint8Array[]) =>
      new LayerStack(layers.map((bytes) => ({ what: "it", entries: () => readLayer(Readable.from([bytes]), "it") })));
    const empty = [new Uint8Array(0), gzipSync(new Uint8Array(0)), gzipSync(new Uint8Array(ends))];
    expect(await pathsOf(stack(...empty, gzipSync(withoutEnd), ...empty))).toEqual(["a"]);
    const invalid = { code: "MOTE_INVALID_ARCHIVE" };
    await expect(pathsOf(stack(withoutEnd.subarray(0, -1)))).rejects.toMatchObject(invalid);
    const header = rawTar([{ name: "pax", flag: "x", text: "9 path=a\n" }]).subarray(0, 1024);
    await expect(pathsOf(stack(header))).rejects.toMatchObject(invalid);
  });

  it("replace files of lower layers, and hide what they remove", async () => {
    const { stack } = stackOf(
      [file("a", "old"), file("b"), file("d/x"), file("d/y"), file("o/x"), file("o/deep/y"), file("f/x"), file("g")],
      [
        file("a", "new"),
        file(".wh.b"),
        file("d/.wh.x"),
        file("o/.wh..wh..opq"),
        file("o/new"),
        file("f", "file"),
        file("g/x"),
      ],
    );
    expect(await textOf(stack, "a")).toBe("new");
    for (const path of ["b", "d/x", "o/x", "o/deep/y", "f/x"])
      await expect(stack.resolve(path)).rejects.toMatchObject(absent);
    expect(await pathsOf(stack)).toEqual(["a", "d", "d/y", "f", "g", "g/x", "o", "o/new"]);
  });

  it("hide a folder of lower layers that a higher layer removes and makes again", async () => {
    const { stack } = stackOf(
      [file("d/old"), file("e/old")],
      [file(".wh.d"), file("e/.wh..wh..opq")],
      [file("d/new"), file("e/new")],
      [file(".wh..wh.plnk/1"), file(".wh..wh.orph")],
    );
    expect(await pathsOf(stack)).toEqual(["d", "d/new", "e", "e/new"]);
    const same = stackOf([file("d/old"), file("x")], [file(".wh.d"), file("d/new"), file(".wh..wh..opq"), file("y")]);
    expect(await pathsOf(same.stack)).toEqual(["d", "d/new", "y"]);
  });

  it("are resolved inside the image, through symbolic links of any layer", async () => {
    const { stack } = stackOf(
      [folder("usr/lib/"), link("lib", "usr/lib"), file("usr/lib/x", "x"), link("etc/abs", "/lib/x")],
      [link("out", "../../../../lib/../lib/x"), link("deep/er", "/etc/abs"), link("dir", "/")],
    );
    for (const path of ["lib/x", "/etc/abs", "out", "deep/er", "dir/dir/lib/x", "../../lib/x", "dir/../lib/./x"]) {
      expect([path, await textOf(stack, path)]).toEqual([path, "x"]);
    }
    expect((await stack.resolve("dir/lib/")).path).toBe("usr/lib");
    expect(await stack.resolve("/")).toMatchObject({ path: "", type: "folder" });
  });

  it("end loops of links, and links that lead nowhere or through a file", async () => {
    const wide = Array.from({ length: 100 }, () => "l2").join("/");
    const { stack } = stackOf([
      link("a", "b"),
      link("b", "a"),
      link("c", "none"),
      file("f"),
      link("l2", wide),
      link("self", "self/x"),
    ]);
    for (const path of ["a", "c", "f/x", "l2", "self"]) await expect(stack.resolve(path)).rejects.toMatchObject(absent);
  });

  it("have hard links to files of the same and of lower layers", async () => {
    const { stack } = stackOf(
      [file("a", "base"), hardLink("b", "a"), file("a", "later")],
      [hardLink("c", "b"), hardLink("d", "none"), hardLink("e", "c"), link("s", "a"), hardLink("t", "s")],
    );
    expect(await textOf(stack, "b")).toBe("base");
    for (const path of ["c", "e"]) expect(await textOf(stack, path)).toBe("base");
    expect(await textOf(stack, "t")).toBe("later");
    expect(await stack.resolve("d")).toMatchObject({ type: "hard-link" });
  });

  it("may have names with ./ or a slash before them, and the last of two entries wins", async () => {
    const { stack } = stackOf([
      file("./a"),
      file("/b"),
      file("c", "1"),
      file("c", "2"),
      file("d"),
      file("d/x"),
      folder("e/"),
      file("e"),
    ]);
    expect(await textOf(stack, "c")).toBe("2");
    expect(await pathsOf(stack)).toEqual(["a", "b", "c", "d", "d/x", "e"]);
    expect(await stack.resolve("e")).toMatchObject({ type: "file" });
  });

  it.each([
    ["climbs", "../x"],
    ["climbs later", "a/../../x"],
    ["is too deep", `${"d/".repeat(300)}x`],
    ["is too long", "n".repeat(300)],
    ["is a whiteout of its folder", "a/.wh..."],
    ["is a whiteout of nothing", ".wh."],
  ])("are rejected if a name %s", async (_, name) => {
    const { stack } = stackOf([{ ...file(name), long: "pax" }]);
    await expect(stack.resolve("x")).rejects.toMatchObject({ code: "MOTE_INVALID_ARCHIVE" });
  });

  it("tell which names there are instead of a missing one", async () => {
    const { stack } = stackOf([file("etc/os-release"), file("usr/bin/python3")], [file("etc/hosts")]);
    await expect(stack.resolve("/etc/os-relase")).rejects.toMatchObject({
      details: { siblings: ["etc/hosts", "etc/os-release"], wanted: "etc/os-relase" },
    });
    await expect(stack.resolve("/bin/python3")).rejects.toMatchObject({ details: { sameName: ["usr/bin/python3"] } });
  });

  it("are limited in the number of their files", async () => {
    const entries = Array.from({ length: 20 }, (_, at) => file(`f${at}`, ""));
    const layer = {
      what: "x",
      entries: () => readLayer(Readable.from([rawTar(entries)]), "x"),
    };
    await expect(new LayerStack([layer], { maxEntries: 10 }).resolve("f1")).rejects.toMatchObject({
      code: "MOTE_TOO_LARGE",
    });
  });
});
