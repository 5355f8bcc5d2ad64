import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoteError } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putImage, sampleImage } from "../../test/sample-image.js";
import {
  DockerArchiveDestination,
  DockerArchiveSource,
  isStdout,
  OciArchiveDestination,
  OciArchiveSource,
  writeOutputFile,
} from "../index.js";

const image = sampleImage("base");
const text = (bytes: string) =>
  (async function* () {
    yield new TextEncoder().encode(bytes);
  })();

/** All writers of a single file that the user names. The file then contains `marker`. */
const writers = [
  {
    what: "an oci-archive",
    write: (path: string, signal?: AbortSignal) =>
      putImage(new OciArchiveDestination(path), image, "base", signal ? { signal } : {}),
    isComplete: (path: string) => execFileSync("tar", ["-tf", path], { encoding: "utf8" }).includes("index.json"),
  },
  {
    what: "a docker-archive",
    write: (path: string, signal?: AbortSignal) =>
      putImage(new DockerArchiveDestination(path), image, "r.example/base:1", signal ? { signal } : {}),
    isComplete: (path: string) => execFileSync("tar", ["-tf", path], { encoding: "utf8" }).includes("manifest.json"),
  },
  {
    what: "a plain file",
    write: (path: string, signal?: AbortSignal) => writeOutputFile(path, text("whole"), { signal }),
    isComplete: (path: string) => readFileSync(path, "utf8") === "whole",
  },
];

let dir = "";
let at = (name: string) => name;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mote-special-"));
  at = (name) => join(dir, name);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "no error",
    (error: unknown) => (MoteError.isInstance(error) ? error.code : error),
  );
}

describe.each(writers)("$what", ({ write, isComplete }) => {
  it("writes to the target of a symbolic link, and keeps the link and the permissions", async () => {
    mkdirSync(at("real"));
    writeFileSync(at("real/file"), "", { mode: 0o600 });
    symlinkSync("real/hop", at("link"));
    symlinkSync("file", at("real/hop"));
    await write(at("link"));
    expect([readlinkSync(at("link")), readlinkSync(at("real/hop"))]).toEqual(["real/hop", "file"]);
    expect(isComplete(at("real/file"))).toBe(true);
    expect(statSync(at("real/file")).mode & 0o777).toBe(0o600);
    expect([readdirSync(dir).sort(), readdirSync(at("real")).sort()]).toEqual([
      ["link", "real"],
      ["file", "hop"],
    ]);
  });

  it("rejects a dangling link, a circle of links, a directory and a socket, and keeps them", async () => {
    symlinkSync("nothing", at("dangling"));
    symlinkSync("circle", at("circle"));
    mkdirSync(at("directory"));
    symlinkSync("directory", at("to-directory"));
    const server = createServer().listen(at("socket"));
    await once(server, "listening");
    const names = readdirSync(dir).sort();
    for (const name of names) {
      const { ino } = lstatSync(at(name));
      expect([name, await codeOf(write(at(name)))]).toEqual([name, "MOTE_UNWRITABLE"]);
      expect(lstatSync(at(name)).ino).toBe(ino);
    }
    expect(readdirSync(dir).sort()).toEqual(names);
    server.close();
  });

  it("does not treat a file or a circle of links as stdout", () => {
    writeFileSync(at("file"), "mine");
    symlinkSync("circle", at("circle"));
    for (const path of [at("file/x"), at("circle"), at("circle/x")]) expect(isStdout(path)).toBe(false);
  });

  it("writes through a FIFO to a reader that is open now or soon", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    symlinkSync("fifo", at("to-fifo"));
    for (const name of ["fifo", "to-fifo"]) {
      const writing = write(at(name));
      const reader = spawn("sh", ["-c", `cat '${at("fifo")}' > '${at("got")}'`]);
      await Promise.all([writing, once(reader, "exit")]);
      expect(isComplete(at("got"))).toBe(true);
      expect(lstatSync(at("fifo")).isFIFO()).toBe(true);
      rmSync(at("got"));
    }
    expect(readdirSync(dir).sort()).toEqual(["fifo", "to-fifo"]);
  });

  it("does not hang at a FIFO without a reader", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    const stop = new AbortController();
    const writing = write(at("fifo"), stop.signal);
    stop.abort(new Error("stopped"));
    await expect(writing).rejects.toThrow("stopped");
    expect(readdirSync(dir)).toEqual(["fifo"]);
  });

  it("writes to a device, and reports when it is full", async () => {
    await write("/dev/null");
    expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
    if (existsSync("/dev/full")) expect(await codeOf(write("/dev/full"))).toBe("MOTE_NO_SPACE");
    expect(readdirSync("/dev").filter((name) => name.startsWith(".mote"))).toEqual([]);
  });
});

it("a reader of a FIFO that closes before the end is an error", async () => {
  execFileSync("mkfifo", [at("fifo")]);
  const reader = openSync(at("fifo"), constants.O_RDONLY | constants.O_NONBLOCK);
  const chunks = (async function* () {
    yield new Uint8Array(1024);
    closeSync(reader);
    yield new Uint8Array(1024);
  })();
  await expect(writeOutputFile(at("fifo"), chunks)).rejects.toMatchObject({
    code: "MOTE_IO",
    message: expect.stringContaining("its reader closed it"),
  });
});

it("archives are not read from files without random access", async () => {
  execFileSync("mkfifo", [at("fifo")]);
  for (const path of [at("fifo"), "/dev/null", "/dev/zero", dir]) {
    for (const source of [new OciArchiveSource(path), new DockerArchiveSource(path)]) {
      expect([path, await codeOf(source.resolve("base"))]).toEqual([path, "MOTE_IO"]);
    }
  }
});
