import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CacheFolder } from "./cache-folder.js";

let parent: string;
let folder: CacheFolder;
let now = 0;
beforeEach(() => {
  parent = fs.mkdtempSync(join(tmpdir(), "mote-folder-"));
  folder = new CacheFolder(join(parent, "cache"), undefined);
  folder.makeFolders();
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(parent, { recursive: true });
});

const later = () => {
  now += 3000;
};
const callsOf = (work: () => void) => {
  const lstat = vi.spyOn(fs, "lstatSync");
  work();
  const { length } = lstat.mock.calls;
  lstat.mockRestore();
  return length;
};
const plant = (path: string) => {
  fs.renameSync(path, join(parent, "moved"));
  fs.symlinkSync(join(parent, "moved"), path);
};

describe("refuseNewLinks", () => {
  beforeEach(() => {
    folder.refuseNewLinks();
    later();
    folder.refuseNewLinks();
  });

  it("makes two system calls while no folder has been replaced", () => {
    expect(callsOf(() => folder.refuseNewLinks())).toBe(2);
  });

  it("checks all folders again as long as a change may be hidden by the resolution of times", () => {
    fs.mkdirSync(join(folder.blobs, "new"));
    expect(callsOf(() => folder.refuseNewLinks())).toBeGreaterThan(10);
    expect(callsOf(() => folder.refuseNewLinks())).toBeGreaterThan(10);
    later();
    folder.refuseNewLinks();
    expect(callsOf(() => folder.refuseNewLinks())).toBe(2);
  });

  for (const name of ["blobs", "blobs/sha256", ".mote", ".mote/ingest"]) {
    it(`rejects a symbolic link in place of ${name}, every time`, () => {
      plant(join(folder.root, name));
      for (let call = 0; call < 3; call++) {
        expect(() => folder.refuseNewLinks()).toThrow(expect.objectContaining({ code: "MOTE_UNSUPPORTED_FORMAT" }));
        later();
      }
    });
  }

  it("tells whether all folders exist", () => {
    expect(folder.refuseNewLinks()).toBe(true);
    fs.rmdirSync(folder.writerLocks);
    expect([folder.refuseNewLinks(), folder.refuseNewLinks()]).toEqual([false, false]);
    folder.makeFolders();
    expect(folder.refuseNewLinks()).toBe(true);
  });

  it("rejects a symbolic link whose folder's modification time was set back", () => {
    const own = dirname(folder.ingest);
    const { atime, mtime } = fs.statSync(own);
    plant(folder.ingest);
    fs.utimesSync(own, atime, mtime);
    expect(() => folder.refuseNewLinks()).toThrow(expect.objectContaining({ code: "MOTE_UNSUPPORTED_FORMAT" }));
  });
});
