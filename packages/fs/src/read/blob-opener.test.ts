import fs, { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestBytes, silentLogger } from "@mote/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { put } from "../../test/image.js";
import { BlobStore } from "../blobs/blob-store.js";
import { asynchronousCalls, type FileCalls, synchronousCalls } from "../disk/file-calls.js";
import { SyncGroup } from "../disk/sync-group.js";
import { FileCache } from "../file-cache.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { IngestFiles } from "../processes/ingest-files.js";
import { BlobHandle } from "./blob-handle.js";
import { BlobOpener, type OpenRequest } from "./blob-opener.js";

const bytes = new TextEncoder().encode("some bytes");
const digest = digestBytes(bytes);
const complete = { start: 0, end: Number.POSITIVE_INFINITY };

let root: string;
let warnings: string[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "mote-opener-"));
  warnings = [];
  await using cache = new FileCache(root, { durability: "visible" });
  await put(cache, bytes, "application/octet-stream");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true });
});

function openerOf(options: { calls?: FileCalls; verify?: boolean; linkOnRead?: boolean } = {}): BlobOpener {
  const { calls = synchronousCalls, verify = true, linkOnRead = false } = options;
  const folder = new CacheFolder(root, undefined);
  const ingests = new IngestFiles(folder);
  const syncs = new SyncGroup("visible", undefined);
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const establish = async () => {};
  const store = new BlobStore({ ingests, syncs }, { calls, chunksOnWrite: false, logger, establish });
  return new BlobOpener(store, { verify, linkOnRead });
}

const blobPath = (of: Digest = digest) => join(root, "blobs", of.replace(":", "/"));
const openFiles = () => readdirSync("/proc/self/fd").length;

function damage(): void {
  chmodSync(blobPath(), 0o644);
  writeFileSync(blobPath(), "same bytes");
}

async function open(opener: BlobOpener, request: Partial<OpenRequest<string>> = {}): Promise<BlobHandle | string> {
  return opener.open<string>(digest, { ...complete, readSmall: true, fallback: undefined, ...request });
}

async function handleOf(...args: Parameters<typeof open>): Promise<BlobHandle> {
  const opened = await open(...args);
  if (!(opened instanceof BlobHandle)) throw new Error("the fallback was used");
  return opened;
}

// Descriptors are counted in /proc.
describe.skipIf(process.platform !== "linux").each([
  ["synchronous", synchronousCalls],
  ["asynchronous", asynchronousCalls],
])("BlobOpener with %s calls", (_, calls) => {
  it("reads a small blob at once and closes its descriptor", async () => {
    const before = openFiles();
    const handle = await handleOf(openerOf({ calls }));
    expect(handle.bytes).toEqual(bytes);
    expect([handle.info.size, handle.isWhole]).toEqual([bytes.byteLength, true]);
    expect(openFiles()).toBe(before);
  });

  it("reads a range of a small blob", async () => {
    const handle = await handleOf(openerOf({ calls }), { start: 5, end: 100 });
    expect(new TextDecoder().decode(handle.bytes)).toBe("bytes");
    expect((await handleOf(openerOf({ calls }), { start: 20, end: 30 })).bytes).toEqual(new Uint8Array());
  });

  it("keeps the descriptor open if few bytes are not to be read at once", async () => {
    const opener = openerOf({ calls });
    const before = openFiles();
    const handle = await handleOf(opener, { readSmall: false });
    expect([handle.bytes, openFiles()]).toEqual([undefined, before + 1]);
    await opener.close(handle.blob);
    expect(openFiles()).toBe(before);
  });

  it("fails for an absent blob, or uses the fallback without a warning", async () => {
    rmSync(blobPath());
    await expect(open(openerOf({ calls }))).rejects.toMatchObject({ code: "MOTE_NOT_FOUND", details: { digest } });
    await expect(open(openerOf({ calls }), { fallback: async () => undefined })).rejects.toMatchObject({
      code: "MOTE_NOT_FOUND",
    });
    expect(await open(openerOf({ calls }), { fallback: async () => "fallback" })).toBe("fallback");
    expect(warnings).toEqual([]);
  });

  it.each([true, false])(
    "quarantines a damaged blob and uses the fallback with a warning (small: %s)",
    async (readSmall) => {
      damage();
      const before = openFiles();
      expect(await open(openerOf({ calls }), { readSmall, fallback: async () => "fallback" })).toBe("fallback");
      expect([existsSync(blobPath()), openFiles()]).toEqual([false, before]);
      expect(warnings).toContain("a blob cannot be read; reading it from the fallback");
    },
  );

  it("fails with MOTE_CORRUPT if the fallback does not have a damaged blob", async () => {
    damage();
    await expect(open(openerOf({ calls }), { fallback: async () => undefined })).rejects.toMatchObject({
      code: "MOTE_CORRUPT",
    });
  });

  it("leaves the verification to the reader without a fallback", async () => {
    damage();
    const handle = await handleOf(openerOf({ calls }));
    expect([handle.verify, existsSync(blobPath())]).toEqual([true, true]);
  });

  it("closes the descriptor if the read fails, and reports another error than a miss", async () => {
    const before = openFiles();
    const failing: FileCalls = {
      ...calls,
      read: () => {
        throw Object.assign(new Error("EIO"), { code: "EIO" });
      },
    };
    await expect(open(openerOf({ calls: failing }))).rejects.toMatchObject({ code: "MOTE_IO" });
    expect(openFiles()).toBe(before);
  });
});

describe("BlobOpener", () => {
  it("opens a blob by its own link, which is removed at the end", async () => {
    const opener = openerOf({ linkOnRead: true });
    const handle = await handleOf(opener, { readSmall: false });
    expect(statSync(blobPath()).nlink).toBe(2);
    await opener.close(handle.blob);
    expect(statSync(blobPath()).nlink).toBe(1);
  });

  it("opens a blob without a link, with a warning, if none can be created", async () => {
    const calls: FileCalls = { ...synchronousCalls, link: () => Promise.reject(new Error("EPERM")) };
    const handle = await handleOf(openerOf({ calls, linkOnRead: true }));
    expect(handle.bytes).toEqual(bytes);
    expect(warnings).toEqual(["cannot link a blob to read it; reading it without a link"]);
  });

  it("renews the last use only if the read counts as use", async () => {
    const old = new Date(86_400_000);
    fs.utimesSync(blobPath(), old, statSync(blobPath()).mtime);
    await open(openerOf(), { countsAsUse: false });
    expect(statSync(blobPath()).atimeMs).toBe(old.getTime());
    await open(openerOf());
    expect(statSync(blobPath()).atimeMs).toBeGreaterThan(old.getTime());
  });
});
