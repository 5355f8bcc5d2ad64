import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes } from "@mote/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RawEntry, rawTar } from "../../../packages/layout/test/raw-tar.js";
import { mainFile, runMote } from "./run-mote.js";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-get-"));
  await mkdir(join(dir, "layout/blobs/sha256"), { recursive: true });
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const digest = digestBytes(bytes);
    await writeFile(join(dir, "layout/blobs/sha256", digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const json = (body: object) => new TextEncoder().encode(JSON.stringify(body));
  const layer = (entries: readonly RawEntry[]) => put(rawTar(entries), "application/vnd.oci.image.layer.v1.tar");
  const image = {
    schemaVersion: 2,
    config: await put(json({ os: "linux", architecture: "amd64" }), "application/vnd.oci.image.config.v1+json"),
    layers: [
      await layer([
        { name: "etc/os-release", flag: "0", text: "NAME=base\n" },
        { name: "bytes", flag: "0", text: "\u001b[2J" },
        { name: "etc/evil\u001b[2J", flag: "0" },
      ]),
      await layer([
        { name: "etc/out", flag: "2", link: "/outside" },
        { name: "etc/dev", flag: "4" },
      ]),
    ],
  };
  const named = {
    ...(await put(json(image), "application/vnd.oci.image.manifest.v1+json")),
    annotations: { "org.opencontainers.image.ref.name": "1" },
  };
  await writeFile(join(dir, "layout/index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  await writeFile(join(dir, "layout/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const args = (...rest: readonly string[]) => ["get", `oci:${dir}/layout:1`, ...rest, "--cache", join(dir, "cache")];
const get = (...rest: readonly string[]) => runMote(args(...rest));

describe("mote get", () => {
  it("writes one file to stdout as it is, and a directory as a tar", async () => {
    expect(await get("/etc/os-release")).toEqual({ status: 0, stdout: "NAME=base\n", stderr: "" });
    expect((await get("bytes", "--output", "-")).stdout).toBe("\u001b[2J");
    const tar = spawnSync(process.execPath, [mainFile, ...args("etc", "bytes", "-o", "-")]).stdout;
    const names = execFileSync("tar", ["-t"], { input: tar, encoding: "utf8" });
    expect(names.split("\n")).toEqual(expect.arrayContaining(["etc/", "etc/os-release", "etc/out", "bytes"]));
  });

  it("writes into a directory, and warns of what it leaves out", async () => {
    const ended = await get("/etc", "bytes", "--output", join(dir, "out"));
    expect(ended.status).toBe(0);
    expect(ended.stderr).toMatch(/skipped etc\/dev: is a device.*\n.*skipped etc\/out: leads out of the directory\n/);
    expect(await readFile(join(dir, "out/etc/os-release"), "utf8")).toBe("NAME=base\n");
    await writeFile(join(dir, "out/bytes"), "mine");
    expect(await get("bytes", "--output", join(dir, "out"))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("--force"),
    });
    expect(await get("bytes", "--output", join(dir, "out"), "--force")).toMatchObject({ status: 0 });
  });

  it("lists files, and escapes their names", async () => {
    const { stdout } = await get("--list", "/etc");
    expect(stdout.split("\n").map((line) => line.split(" ").slice(-1)[0])).toEqual(
      expect.arrayContaining(["/etc/os-release", "/outside"]),
    );
    expect(stdout).toContain("evil\\u001b[2J");
  });

  it("suggests the nearest path for one that does not exist", async () => {
    expect(await get("/etc/os-relase")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("did you mean /etc/os-release?"),
    });
    expect(await get("os-release")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("did you mean /etc/os-release?"),
    });
    expect(await get("/qqq")).toMatchObject({ status: 1, stderr: expect.stringContaining("--list") });
    const dangling = await get("/etc/out");
    expect(dangling).toMatchObject({ status: 1, stderr: expect.stringContaining("; list the files with --list") });
    const noImage = await runMote(["get", `oci:${dir}/layout:2`, "/etc", "--cache", join(dir, "cache")]);
    expect(noImage).toMatchObject({ status: 1, stderr: expect.not.stringContaining("--list") });
  });

  it("rejects a directory on stdout, and options that exclude each other", async () => {
    for (const rest of [[], ["/etc"], ["bytes", "etc"], ["bytes", "--json"], ["--list", "--output", "-"]]) {
      expect(await get(...rest)).toMatchObject({ status: 2, stdout: "" });
    }
  });

  it("is not what --unpack does with a selection of files, or without a directory", async () => {
    const pull = (...rest: readonly string[]) =>
      runMote(["pull", `oci:${dir}/layout:1`, ...rest, "--cache", join(dir, "cache")], { cwd: dir });
    for (const rest of [["--only", "etc/*"], ["--prefer-cached"]]) {
      expect(await pull("--unpack", "root", ...rest)).toMatchObject({ status: 2, stdout: "" });
    }
    expect(await pull("--unpack", "")).toMatchObject({ status: 2, stderr: expect.stringContaining("requires DIR") });
  });
});
