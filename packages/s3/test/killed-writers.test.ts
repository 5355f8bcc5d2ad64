import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Digest, isDigest } from "@mote/core";
import type { S3Server } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { S3Cache, type S3CacheOptions } from "../src/index.js";
import { optionsOf, servers } from "./servers.js";

// How often a writer is killed on each server, which takes about two seconds.
const kills = Number(process.env.S3_KILLS || 10);
const program = fileURLToPath(new URL("writer.mjs", import.meta.url));

/** Starts a writer and kills it some time after it first says `what`. Returns what it has acknowledged. */
async function killWriter(options: S3CacheOptions, after: { what: "begin" | "done"; ms: number }): Promise<Digest[]> {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const acknowledged: Digest[] = [];
  let killing: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, digest] = line.split(" ");
    // A kill at any moment of a write, of any size.
    if (what === after.what) killing ??= setTimeout(() => child.kill("SIGKILL"), after.ms);
    if (what === "done" && isDigest(digest)) acknowledged.push(digest);
  }
  await ended;
  clearTimeout(killing);
  return acknowledged;
}

describe.each(servers)("on $name $missing", ({ start, missing }) => {
  let server: S3Server;
  beforeAll(async () => {
    if (missing === "") server = await start();
  }, 120_000);
  afterAll(async () => await server?.stop());

  it.skipIf(missing !== "")(
    "a writer that is killed leaves no incomplete object, and loses nothing that it has acknowledged",
    async () => {
      const options = { ...optionsOf(server, await server.createBucket()), abandonedUploadMs: 0 };
      await using cache = new S3Cache(options);
      let acknowledgements = 0;
      for (let kill = 0; kill < kills; kill++) {
        const acknowledged = await killWriter(options, {
          what: kill % 2 === 0 ? "begin" : "done",
          ms: (kill * 37) % 500,
        });
        acknowledgements += acknowledged.length;
        for (const digest of acknowledged) expect([digest, await cache.moteExists(digest)]).toEqual([digest, true]);
        const { damaged, failed } = await cache.verify();
        expect([damaged, failed]).toEqual([[], []]);
        const { reached, remainingBytes } = await cache.prune(0);
        expect([reached, remainingBytes]).toEqual([true, 0]);
      }
      expect(acknowledgements).toBeGreaterThan(0);
      // The server may begin an upload after its writer was killed, because the request was on its way.
      const unfinished = async () => {
        await cache.prune(0);
        const uploads = await server.send("GET", `${options.bucket}?uploads`);
        return (await uploads.text()).includes("<Upload>");
      };
      await vi.waitUntil(async () => !(await unfinished()), { timeout: 30_000 });
    },
    600_000,
  );
});
