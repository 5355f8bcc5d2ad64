import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DockerRegistry, needs, startDockerRegistry } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, runMote } from "./run-mote.js";

const wanted = needs("docker-registry");

describe.skipIf(wanted !== "")(`plain files, with docker-registry${wanted}`, () => {
  let dir: string;
  let registry: DockerRegistry;
  const at = (...names: string[]) => join(dir, ...names);
  const remote = (tag: string) => `docker://${registry.host}/acme/model:${tag}`;
  const mote = (command: string, ...args: string[]) => runMote([command, "--json", "--cache", at("cache"), ...args]);
  const differences = (one: string, other: string) => run("diff", ["-r", "--no-dereference", one, other]);

  async function digestOf(...args: string[]): Promise<string> {
    const ended = await mote("push", ...args);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    return JSON.parse(ended.stdout).refs[0].descriptor.digest;
  }

  async function codeOf(status: number, command: string, ...args: string[]): Promise<string> {
    const ended = await mote(command, ...args);
    expect([ended.status, ended.stdout]).toEqual([status, ""]);
    return JSON.parse(ended.stderr).error.code;
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-files-"));
    registry = await startDockerRegistry();
    await mkdir(at("from/data/sub"), { recursive: true });
    await writeFile(at("from/model.bin"), new Uint8Array(3_000_000).fill(7));
    await writeFile(at("from/notes.txt"), "notes");
    await writeFile(at("from/nothing"), "");
    await writeFile(at("from/data/run.sh"), "#!/bin/sh\n");
    await chmod(at("from/data/run.sh"), 0o755);
    await writeFile(at("from/data/sub/rows.csv"), "a,b\n1,2\n");
    await symlink("sub/rows.csv", at("from/data/latest"));
    await digestOf(
      ...[at("from/model.bin"), `${at("from/notes.txt")}:text/plain`, at("from/nothing"), `${at("from/data")}/`],
      remote("1"),
      ...["--artifact-type", "application/vnd.acme.model", "--annotation", "a=1", "--annotation", "b=x=y"],
    );
  }, 120_000);

  afterAll(async () => {
    await registry?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it("are pushed as one artifact, with its type, its annotations, and their media types", async () => {
    const answer = await fetch(`http://${registry.host}/v2/acme/model/manifests/1`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    expect(await answer.json()).toMatchObject({
      artifactType: "application/vnd.acme.model",
      annotations: { a: "1", b: "x=y" },
      layers: [
        { mediaType: "application/octet-stream", size: 3_000_000 },
        { mediaType: "text/plain", annotations: { "org.opencontainers.image.title": "notes.txt" } },
        { size: 0 },
        { annotations: { "org.opencontainers.image.title": "data", "io.deis.oras.content.unpack": "true" } },
      ],
    });
  });

  it("are pulled in part, by path or by annotation, and only those are fetched", async () => {
    const pull = (to: string, ...args: string[]) =>
      runMote(["pull", "--json", "--cache", at(`cache-${to}`), remote("1"), `${at(to)}/`, ...args]);
    const byPath = await pull("by-path", "--only", "n*");
    expect([byPath.status, (await readdir(at("by-path"))).sort()]).toEqual([0, ["notes.txt", "nothing"]]);
    const { fetched, skipped } = JSON.parse(byPath.stdout);
    expect([fetched.bytes < 1000, skipped]).toEqual([true, { count: 0, bytes: 0 }]);
    const title = "org.opencontainers.image.title=notes.txt";
    const byAnnotation = await pull("by-annotation", "--only-annotation", title);
    expect([byAnnotation.status, await readdir(at("by-annotation"))]).toEqual([0, ["notes.txt"]]);
    const none = await pull("none", "--only", "*.gguf");
    expect([none.status, none.stderr]).toEqual([1, expect.stringContaining("notes.txt")]);
  });

  it("are pulled into a directory unchanged, cold and warm, and belong to the user", async () => {
    for (const [cache, into] of [
      ["cold", "one"],
      ["cold", "two"],
      ["cache", "three"],
    ] as const) {
      const ended = await runMote(["pull", "--quiet", "--cache", at(cache), remote("1"), `${at(into)}/`]);
      expect(ended).toMatchObject({ status: 0, stderr: "" });
      expect(await differences(at("from"), at(into))).toMatchObject({ status: 0, stdout: "" });
      expect((await stat(at(into, "model.bin"))).mode & 0o200).toBe(0o200);
      expect((await stat(at(into, "model.bin"))).nlink).toBe(1);
      expect((await stat(at(into, "data/run.sh"))).mode & 0o100).toBe(0o100);
    }
  });

  it("with --link are hard links to cached files, where clones are not supported", async () => {
    expect(await mote("pull", remote("1"), at("linked"), "--link")).toMatchObject({ status: 0 });
    const { digest } = JSON.parse((await mote("add", at("from/model.bin"))).stdout)[0];
    const [kept, there] = [await stat(at("cache/blobs/sha256", digest.slice(7))), await stat(at("linked/model.bin"))];
    expect(there.ino === kept.ino || there.nlink === 1).toBe(true);
  });

  it("are pulled from the cache if the registry is down", async () => {
    await using gone = await startDockerRegistry();
    const there = `docker://${gone.host}/acme/model:1`;
    await digestOf(at("from/model.bin"), at("from/data"), there);
    await gone.stop();
    const ended = await runMote(["pull", "--cache", at("cache"), there, `${at("offline")}/`]);
    expect(ended.status).toBe(0);
    expect(await differences(at("from/data"), at("offline/data"))).toMatchObject({ status: 0 });
  });

  it("give the same digest in every push, and nothing is sent again", async () => {
    const one = await digestOf(at("from/data"), at("from/notes.txt"), remote("a"));
    await run("touch", ["-d", "2001-01-01", at("from/data/run.sh"), at("from/notes.txt")]);
    const before = (await registry.requests()).length;
    expect(await digestOf(at("from/data"), at("from/notes.txt"), remote("b"))).toBe(one);
    const requests = (await registry.requests()).slice(before);
    expect(requests.filter((line) => /^(PUT|PATCH|POST) .*\/blobs\//.test(line))).toEqual([]);
  });

  it("that would replace other files are an error, and replace them with --force", async () => {
    await mote("pull", remote("1"), at("mine"));
    await writeFile(at("mine/notes.txt"), "mine");
    expect(await codeOf(1, "pull", remote("1"), at("mine"))).toBe("MOTE_EXISTS");
    expect(await readFile(at("mine/notes.txt"), "utf8")).toBe("mine");
    expect((await mote("pull", remote("1"), at("mine"), "--force")).status).toBe(0);
    expect(await differences(at("from"), at("mine"))).toMatchObject({ status: 0 });
  });

  it("that would replace a FIFO are an error without a hint to use --force", async () => {
    await mkdir(at("piped"));
    await run("mkfifo", [at("piped/notes.txt")]);
    const { status, stderr } = await mote("pull", remote("1"), at("piped"), "--force");
    expect(status).toBe(1);
    expect(stderr).toContain("is a FIFO, which is not replaced");
    expect(stderr).not.toContain("--force");
  });

  it("are not in a container image: the error says what to do, and no directory is created", async () => {
    const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: await addFile("{}"), size: 2 };
    const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: await addFile("x"), size: 1 };
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: [layer],
    };
    await writeLayout(at("image"), JSON.stringify(manifest));
    const ended = await mote("pull", `oci:${at("image")}`, `${at("unpacked")}/`);
    expect(JSON.parse(ended.stderr).error).toMatchObject({ code: "MOTE_NOT_FILES" });
    expect(ended.stderr).toContain("oci:DIR");
    expect(await readdir(dir)).not.toContain("unpacked");
  });

  it("that do not exist, conflicting names, and wrong options are reported in one line", async () => {
    expect(await codeOf(1, "push", at("none"), remote("x"))).toBe("MOTE_NOT_FOUND");
    expect(await codeOf(1, "push", at("from/data"), `${at("from")}/../from/data`, remote("x"))).toBe(
      "MOTE_INVALID_NAME",
    );
    expect(await codeOf(2, "push", `${at("from/notes.txt")}:text`, remote("x"))).toBe("MOTE_USAGE");
    expect(await codeOf(2, "push", at("from/notes.txt"), remote("x"), "--annotation", "none")).toBe("MOTE_USAGE");
    expect(await codeOf(2, "push", at("from/notes.txt"), remote("x"), "--artifact-type", "none")).toBe("MOTE_USAGE");
    expect(await codeOf(2, "push", at("from/notes.txt"), `oci:${at("image")}`, remote("x"))).toBe("MOTE_USAGE");
    expect(await codeOf(2, "push", `oci:${at("image")}`, remote("x"), "--artifact-type", "a/b")).toBe("MOTE_USAGE");
    expect(await codeOf(2, "push", remote("x"))).toBe("MOTE_USAGE");
  });

  async function addFile(text: string): Promise<string> {
    await writeFile(at("blob"), text);
    const { digest } = JSON.parse((await mote("add", at("blob"))).stdout)[0];
    await mkdir(at("image/blobs/sha256"), { recursive: true });
    await writeFile(at("image/blobs/sha256", digest.slice(7)), text);
    return digest;
  }

  async function writeLayout(layout: string, manifest: string): Promise<void> {
    const digest = await addFile(manifest);
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: manifest.length }] };
    await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(layout, "index.json"), JSON.stringify(index));
  }
});
