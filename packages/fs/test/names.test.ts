import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Descriptor, type Digest, digestBytes, mediaTypes } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FileCache } from "../src/index.js";

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url));
let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-names-"));
  root = join(folder, "cache");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const open = (path = root) => new FileCache(path, { durability: "visible" });
const manifest = (text: string): Descriptor => {
  const bytes = Buffer.from(text);
  return { mediaType: mediaTypes.ociManifest, digest: digestBytes(bytes), size: bytes.byteLength };
};
const tagPath = (name: string) => join(root, ".mote/tags", `${createHash("sha256").update(name).digest("hex")}.json`);

/** As a release before the index of names, or another program, sets a tag. */
function plant(name: string, descriptor: Descriptor): void {
  writeFileSync(tagPath(name), `${JSON.stringify({ name, descriptor })}\n`);
}

function tagFiles(): Record<string, string> {
  const tags = readdirSync(join(root, ".mote/tags")).map((file) =>
    JSON.parse(readFileSync(join(root, ".mote/tags", file), "utf8")),
  );
  return Object.fromEntries(tags.map(({ name, descriptor }) => [name, descriptor.digest]).sort());
}

function view(): Record<string, string> {
  const { manifests } = JSON.parse(readFileSync(join(root, "index.json"), "utf8"));
  return Object.fromEntries(
    manifests.map(({ annotations, digest }: { annotations: Record<string, string>; digest: string }) => [
      annotations["org.opencontainers.image.ref.name"],
      digest,
    ]),
  );
}

async function listed(cache: FileCache): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for await (const { name, descriptor } of cache.tags.list()) found.push([name, descriptor.digest]);
  return Object.fromEntries(found);
}

/** The files, index.json and what is listed say the same, and what a name stands for belongs to its repository. */
async function expectAgreement(cache: FileCache): Promise<Record<string, string>> {
  const tags = tagFiles();
  expect(view()).toEqual(tags);
  expect(await listed(cache)).toEqual(tags);
  for (const [name, digest] of Object.entries(tags)) {
    const repository = name.slice(0, name.lastIndexOf(":"));
    expect([name, await cache.membership.has(repository, digest as Digest)]).toEqual([name, true]);
  }
  return tags;
}

describe("four processes that set and remove 1,000 names and are killed", () => {
  interface Killed {
    readonly acknowledged: ReadonlyMap<string, string | null>;
    readonly last: { readonly name: string; readonly digest: string | null } | undefined;
  }

  async function kill(child: ChildProcess, afterMs: number): Promise<Killed> {
    let text = "";
    child.stdout?.on("data", (data) => {
      text += data;
    });
    if (child.stdout) await once(child.stdout, "data");
    // Spread over the changes: the moments are the point here, not the waiting.
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    child.kill("SIGKILL");
    await once(child, "close");
    const acknowledged = new Map<string, string | null>();
    let last: Killed["last"];
    for (const line of text.split("\n").slice(0, -1)) {
      if (line !== "") last = JSON.parse(line);
      else if (last !== undefined) {
        acknowledged.set(last.name, last.digest);
        last = undefined;
      }
    }
    return { acknowledged, last };
  }

  it("lose no name, set none in part, and the next process corrects index.json", async () => {
    const expected = new Map<string, string | null>();
    const unsure = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const ends = await Promise.all(
        Array.from({ length: 4 }, (_, n) => {
          const child = spawn(process.execPath, [worker, root, "names", `${round}${n}`], {
            stdio: ["ignore", "pipe", "inherit"],
            env: { ...process.env, DURABILITY: "visible" },
          });
          return kill(child, 700 + 150 * ((n + round) % 4));
        }),
      );
      for (const { acknowledged, last } of ends) {
        for (const [name, digest] of acknowledged) expected.set(name, digest);
        if (last !== undefined) unsure.add(last.name);
      }
      await using cache = open();
      await cache.initialize();
      const tags = await expectAgreement(cache);
      const wrong = [...expected].filter(([name, digest]) => !unsure.has(name) && (tags[name] ?? null) !== digest);
      expect(wrong).toEqual([]);
      expect(readdirSync(join(root, ".mote/ingest")).filter((name) => name.endsWith(".view"))).toEqual([]);
    }
    expect(expected.size).toBeGreaterThan(100);
  }, 120_000);
});

describe("a process that ends before any change of a file", () => {
  const repository = "registry.example/app";
  const [first, second, third] = [manifest("1"), manifest("2"), manifest("3")];
  const calls = [
    "openSync",
    "writeFileSync",
    "renameSync",
    "unlinkSync",
    "mkdirSync",
    "rmdirSync",
    "lutimesSync",
  ] as const;
  const originals = Object.fromEntries(calls.map((name) => [name, fs[name]]));

  /** From the given change on, nothing more is changed. @returns whether the change came */
  function endAt(at: number): () => boolean {
    let count = 0;
    for (const name of calls) {
      const original: unknown = originals[name];
      vi.spyOn(fs, name).mockImplementation((...args: unknown[]) => {
        const isChange = name !== "openSync" || String(args[1]).startsWith("w");
        if (isChange && ++count >= at) throw new Error("the process has ended");
        return Reflect.apply(original as () => never, fs, args);
      });
    }
    return () => count >= at;
  }

  it("leaves every name as it was or as it is to be, and the next one corrects the rest", async () => {
    let at = 1;
    for (let isOver = false; !isOver; at++) {
      root = join(folder, `cache-${at}`);
      {
        await using cache = open();
        for (const tag of ["moved", "removed", "same"]) await cache.tags.tag(`${repository}:${tag}`, first);
      }
      const cache = open();
      await cache.initialize();
      const hasEnded = endAt(at);
      const steps = [
        () => cache.tags.tag(`${repository}:moved`, second),
        () => cache.tags.untag(`${repository}:removed`),
        () => cache.tags.tag(`${repository}:added`, third),
        () => cache.update(),
      ];
      for (const step of steps) await step().catch(() => {});
      isOver = !hasEnded();
      vi.restoreAllMocks();
      // The files of a process that is no more.
      for (const name of readdirSync(join(root, ".mote/ingest"))) {
        const [subject, , serial, kind] = name.split(".");
        const path = join(root, ".mote/ingest", name);
        fs.renameSync(path, join(root, ".mote/ingest", `${subject}.0-0-0-0.${serial}.${kind}`));
      }
      await using next = open();
      await next.initialize();
      const tags = await expectAgreement(next);
      const isOf = (tag: string, ...allowed: (Descriptor | undefined)[]) =>
        expect(allowed.map((each) => each?.digest)).toContain(tags[`${repository}:${tag}`]);
      isOf("moved", first, second);
      isOf("removed", first, undefined);
      isOf("added", undefined, third);
      isOf("same", first);
      for (const name of Object.keys(tags)) await next.tags.untag(name);
      for (const { digest } of [first, second, third]) {
        expect([at, await next.membership.has(repository, digest)]).toEqual([at, false]);
      }
    }
    expect(at).toBeGreaterThan(20);
  });
});

describe("names that another release or program has set", () => {
  const names = Array.from({ length: 30 }, (_, at) => `registry.example/app:${at}`);
  const one = manifest("1");

  it("are listed, served and removed as others, where an earlier release has left the cache", async () => {
    {
      await using cache = open();
      await cache.initialize();
    }
    for (const name of names) plant(name, one);
    for (const own of ["names", "repositories", "view.json"]) rmSync(join(root, ".mote", own), { recursive: true });
    await using cache = open();
    await cache.initialize();
    await expectAgreement(cache);
    for (const name of names.slice(1)) await cache.tags.untag(name);
    expect(await cache.membership.has("registry.example/app", one.digest)).toBe(true);
    await cache.tags.untag(names[0] ?? "");
    expect(await cache.membership.has("registry.example/app", one.digest)).toBe(false);
  });

  it("are found while the cache is open, and recorded on request", async () => {
    await using cache = open();
    await cache.tags.tag("registry.example/app:own", one);
    for (const name of names) plant(name, one);
    expect(Object.keys(await listed(cache)).length).toBe(names.length + 1);
    expect(await cache.membership.recordTags?.(cache.tags)).toBe(true);
    await cache.update();
    await expectAgreement(cache);
    expect(await cache.membership.recordTags?.(new FileCache(root).tags)).toBe(false);
  });

  it("are in index.json again after another program has written it", async () => {
    {
      await using cache = open();
      for (const name of names) await cache.tags.tag(name, one);
    }
    writeFileSync(join(root, "index.json"), '{"schemaVersion":2,"manifests":[]}');
    await using cache = open();
    await cache.initialize();
    await expectAgreement(cache);
  });

  it("are refused where their index has a newer format, but can be set and resolved", async () => {
    await using cache = open();
    await cache.tags.tag("registry.example/app:1", one);
    writeFileSync(join(root, ".mote/names/format.json"), '{"format":"mote-names","version":2}');
    await using later = open();
    await later.tags.tag("registry.example/app:2", one);
    expect(await later.tags.resolve("registry.example/app:2")).toEqual(one);
  });
});

describe("the work for one name", () => {
  const one = manifest("1");

  it("does not read the files of other names, and writes nothing where the name stands for the same already", async () => {
    await using cache = open();
    for (let at = 0; at < 50; at++)
      await cache.tags.tag(`registry.example/app:${at}`, at % 2 ? one : manifest(`${at}`));
    await cache.update();
    const opened = vi.spyOn(fs, "openSync");
    const tagsOpened = () => opened.mock.calls.filter(([path]) => String(path).includes("/.mote/tags/")).length;
    await cache.tags.tag("registry.example/app:new", one);
    await cache.tags.resolve("registry.example/app:new");
    await cache.tags.untag("registry.example/app:1");
    await cache.update();
    expect(tagsOpened()).toBeLessThan(10);
    const old = new Date(1_000_000);
    fs.utimesSync(tagPath("registry.example/app:3"), old, old);
    const before = fs.lstatSync(tagPath("registry.example/app:3")).ino;
    opened.mockClear();
    await cache.tags.tag("registry.example/app:3", one);
    // Attempts to create what is there already write nothing.
    const created = opened.mock.calls.filter(
      ([, flags], at) => flags === "wx" && opened.mock.results[at]?.type === "return",
    );
    expect(created.filter(([path]) => !String(path).includes("/leases/"))).toEqual([]);
    expect(cache.isDirty()).toBe(false);
    const stats = fs.lstatSync(tagPath("registry.example/app:3"));
    expect([stats.ino, stats.mtimeMs > 1_000_000]).toEqual([before, true]);
  });

  it("is in index.json without a call to close or update, as soon as the process has time", async () => {
    await using store = new FileCache(root);
    await store.tags.tag("registry.example/app:1", one);
    await vi.waitFor(() => expect(view()).toEqual({ "registry.example/app:1": one.digest }), { timeout: 30_000 });
    await store.tags.tag("registry.example/app:2", one);
    await store[Symbol.asyncDispose]();
    expect(Object.keys(view())).toEqual(["registry.example/app:1", "registry.example/app:2"]);
  });
});
