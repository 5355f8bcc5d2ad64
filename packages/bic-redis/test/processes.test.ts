import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { needs, startRedisServer } from "@mote/testbed";
import { expect, it } from "vitest";
import { RedisBlobInfoCache } from "../src/index.js";
import { locationsOf } from "./setup.js";

const skip = needs("redis-server");
const kills = Number(process.env.KILLS ?? 20);
const script = fileURLToPath(new URL("child.mjs", import.meta.url));
const built = fileURLToPath(new URL("../dist/index.js", import.meta.url));

const title = `loses nothing that was acknowledged to clients that are killed ${kills} times${skip}`;
it.skipIf(skip)(title, { timeout: 60_000 + kills * 2_000 }, async () => {
  if (!existsSync(built)) throw new Error("run pnpm build first: the child processes use dist");
  await using server = await startRedisServer();
  let next = 0;
  for (let round = 0; round < kills; round++) {
    const child = spawn(process.execPath, [script, server.url, String(next)], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    const enough = next + 1 + Math.floor(Math.random() * 20);
    for await (const line of createInterface(child.stdout)) {
      next = Number(line) + 1;
      if (next >= enough) child.kill("SIGKILL");
    }
    expect(await ended).toEqual([null, "SIGKILL"]);
  }
  await using cache = new RedisBlobInfoCache(server.url);
  for (let at = 0; at < next; at++) expect(await locationsOf(cache, at)).toEqual(["here"]);
});
