import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { digestBytes, mediaTypes } from "@mote/core";
import { builtInEncoders } from "@mote/delta";
import { type SimulatedRegistry, startSimulatedRegistry } from "@mote/testbed";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openMote } from "../src/index.js";
import { type BuiltImage, twoVersions } from "./versions.js";

const program = fileURLToPath(new URL("delta-process.mjs", import.meta.url));
const repository = "team/app";

let root: string;
let registry: SimulatedRegistry;
let old: BuiltImage;
let next: BuiltImage;
let running: ChildProcess[];
const newFolder = () => mkdtempSync(join(root, "dir-"));
const reference = (tag: string) => `${registry.host}/${repository}:${tag}`;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-delta-processes-"));
  running = [];
  registry = await startSimulatedRegistry({ name: "as specified", behaviours: [], lacks: {} });
  await using encoders = builtInEncoders();
  ({ old, next } = await twoVersions(encoders.list));
  for (const [tag, { manifest, blobs }] of Object.entries({ 1: old, 2: next })) {
    for (const blob of blobs) registry.repositories.addBlob(repository, blob);
    registry.repositories.addManifest(repository, manifest.bytes, mediaTypes.ociManifest, tag);
  }
  await using maker = await openMote({ dir: newFolder() });
  await maker.delta(reference("1"), reference("2"), `docker://${registry.host}/${repository}`);
});
afterEach(async () => {
  for (const child of running) if (child.exitCode === null && child.signalCode === null) await kill(child);
  await registry[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** Returns a folder with the old image. */
async function withOld(): Promise<string> {
  const dir = newFolder();
  await using mote = await openMote({ dir });
  await mote.pull(reference("1"));
  registry.requests.length = 0;
  return dir;
}

/** Starts a process that pulls the new image when it is told to. */
async function start(dir: string) {
  const child = spawn(process.execPath, [program, dir, reference("2")], { stdio: ["pipe", "pipe", "inherit"] });
  running.push(child);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (data) => {
    text += data;
  });
  while (!text.includes("ready")) await once(child.stdout, "data");
  const closed = once(child, "close");
  const report = async () => {
    await closed;
    return JSON.parse(text.split("\n")[1] ?? "");
  };
  return { child, begin: () => child.stdin.write("\n"), report };
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

/** The blobs of which more than the start was requested, in order. */
const fetched = () =>
  registry.requests
    .filter(({ route, method, headers }) => route.kind === "blob" && method === "GET" && headers.range === undefined)
    .map(({ url }) => url.pathname.split("/").at(-1));

async function expectComplete(dir: string): Promise<void> {
  await using mote = await openMote({ dir });
  for (const bytes of next.blobs) {
    expect(readFileSync(mote.cache.moteRef(digestBytes(bytes))).equals(bytes)).toBe(true);
  }
  const layers = next.blobs.slice(1).map((bytes) => digestBytes(bytes));
  expect(layers.filter((digest) => fetched().includes(digest))).toEqual([]);
}

it("two processes that need the same layers make them together, and fetch the diff once", {
  timeout: 60_000,
}, async () => {
  const dir = await withOld();
  const processes = [await start(dir), await start(dir)];
  for (const { begin } of processes) begin();
  const reports = await Promise.all(processes.map(({ report }) => report()));
  expect(reports.flatMap(({ warnings }) => warnings)).toEqual([]);
  // One that begins late finds them.
  expect(reports.map(({ rebuilt }) => rebuilt)).toContain(2);
  await expectComplete(dir);
  // The diff, and the config.
  expect(fetched().length).toBe(2);
  expect(new Set(fetched()).size).toBe(2);
});

it("a process makes the layers if the one that was making them is killed", { timeout: 60_000 }, async () => {
  const dir = await withOld();
  const [first, second] = [await start(dir), await start(dir)];
  first.begin();
  while (fetched().length < 2) await new Promise(setImmediate);
  second.begin();
  await kill(first.child);
  const { warnings } = await second.report();
  expect(warnings).toEqual([]);
  await expectComplete(dir);
});
