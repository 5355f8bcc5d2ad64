import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes, writeMote } from "@mote/core";
import { openMote } from "@mote/preset";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mainFile, run } from "./run-mote.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mote-stdout-"));
  execFileSync("mkfifo", [join(dir, "pipe")]);
  await using origin = await openMote({ dir: join(dir, "origin") });
  const put = async (body: unknown, mediaType: string) => {
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    const descriptor = { digest: digestBytes(bytes), size: bytes.byteLength, mediaType };
    await writeMote(origin.cache, descriptor, bytes);
    return descriptor;
  };
  const config = await put({ os: "linux", architecture: "amd64" }, mediaTypes.ociConfig);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] };
  await origin.tags.tag("app:1", await put(manifest, mediaTypes.ociManifest));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs mote in a shell with its stdout redirected. Prints its exit status. */
const redirected = (target: string, ...args: readonly string[]) =>
  run("bash", ["-c", `"$@" > ${target}; echo $?`, "bash", process.execPath, mainFile, ...args], { cwd: dir });

/** Runs mote with a pipe as its stdout whose only reader is gone. */
const withBrokenPipe = (...args: readonly string[]) =>
  run(
    "bash",
    ["-c", 'exec 3<>pipe 4>pipe 3>&-; "$@" 1>&4 4>&-; echo $?', "bash", process.execPath, mainFile, ...args],
    { cwd: dir },
  );

const commands = [
  ["ls", "--cache", "origin"],
  ["inspect", "oci:origin:app:1", "--json"],
  ["--help"],
  ["--version"],
] as const;

describe("a stdout", () => {
  it.skipIf(!existsSync("/dev/full"))("that is full is an error with one line", async () => {
    for (const args of commands) {
      const { stdout, stderr } = await redirected("/dev/full", ...args);
      expect([args, stdout]).toEqual([args, "1\n"]);
      expect(stderr).toMatch(/^(mote: |\{"error":.*)cannot write stdout: [^\n]*ENOSPC[^\n]*\n$/);
    }
  });

  it("that its reader closes early is not an error, except of a command that is not done", async () => {
    for (const args of [["ls", "--cache", "origin"], ["--help"], ["--version"]]) {
      expect([args, await withBrokenPipe(...args)]).toEqual([args, { status: 0, stdout: "0\n", stderr: "" }]);
    }
    const pull = ["pull", "oci:origin:app:1", "--cache", "cache", "--json=events"];
    const { stdout, stderr } = await withBrokenPipe(...pull);
    expect([stdout, JSON.parse(stderr).error.code]).toEqual(["1\n", "MOTE_IO"]);
  });
});
