import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { silentLogger } from "@mote/core";
import { afterAll, describe, expect, it } from "vitest";
import { StorageOpener } from "../src/open-storage.js";
import { endOf, linesOf, startChild } from "./child.js";
import { writeSeed } from "./seed.js";

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
afterAll(() => rmSync(folder, { recursive: true }));

function setAside(path: string): string[] {
  return readdirSync(dirname(path)).filter((name) => name.includes("damaged"));
}

describe("a valid file is not renamed", () => {
  it.each([
    ["a row that cannot be read", new RangeError("out of range")],
    ["an error in lmdb's script", new TypeError("Cannot read properties of undefined")],
    ["an error that LMDB calls damage", Object.assign(new Error("MDB_PANIC"), { code: -30795 })],
  ])("after %s, which a second check does not confirm", async (name, error) => {
    const path = join(folder, name.replaceAll(" ", "-"), "bic.lmdb");
    await writeSeed(path);
    const opener = new StorageOpener(path, silentLogger);
    const storage = await opener.open();
    const read = () =>
      storage.read(() => {
        throw error;
      });
    expect(read).toThrow(expect.objectContaining({ code: "MOTE_CORRUPT" }));
    await storage.close();
    expect(setAside(path)).toEqual([]);
    const again = await opener.open();
    expect((await again.counts()).locations).toBe(200);
    await again.close();
  });

  it.skipIf(process.platform === "win32")("if the process has no descriptors left", async () => {
    const path = join(folder, "exhausted", "bic.lmdb");
    await writeSeed(path);
    const child = startChild("exhaust", path, { under: ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh"] });
    const ended = endOf(child);
    const lines: string[] = [];
    for await (const line of linesOf(child)) lines.push(line);
    expect(await ended).toBe(0);
    expect(JSON.parse(lines.join(""))).toMatchObject({ mode: "memory", warnings: [{ code: "EMFILE" }] });
    expect(setAside(path)).toEqual([]);
  });
});
