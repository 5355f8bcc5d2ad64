import fs, { type Dir, type Stats } from "node:fs";
import { errorCode } from "@mote/core";
import type { Soon } from "./steps.js";

const namesAtOnce = 1024;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME } = fs.constants;
/** Does not follow a link out of the cache, nor block on a pipe that has a blob's name. */
const plainFlags = O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
/** Reading does not update the access time. */
const readFlags = plainFlags | (O_NOATIME ?? 0);

/**
 * The short system calls. There are two sets: synchronous ones, an order of magnitude faster on a local disk, and
 * asynchronous ones for file systems where any call may take long. Callers handle either.
 */
export interface FileCalls {
  open(path: string, flags: number, mode?: number): Soon<number>;
  /** Opens a regular file without following a link, and without updating its access time if this user may do so. */
  openToRead(path: string): Soon<number>;
  close(fd: number): Soon<void>;
  /** Returns false if the file does not exist: a cheap check before a costlier call, without its errors. */
  mayExist(path: string): boolean;
  /** Returns whether this user may read the file. */
  canRead(path: string): Soon<boolean>;
  /** Returns undefined if the path does not exist. Does not follow symbolic links. */
  lstat(path: string): Soon<Stats | undefined>;
  fstat(fd: number): Soon<Stats>;
  /** Times in seconds. */
  futimes(fd: number, atime: number, mtime: number): Soon<void>;
  fchmod(fd: number, mode: number): Soon<void>;
  rename(from: string, to: string): Soon<void>;
  link(existing: string, name: string): Soon<void>;
  unlink(path: string): Soon<void>;
  /** Returns the number of bytes read: fewer than requested only at the end of the file. */
  read(fd: number, into: Uint8Array, position: number): Soon<number>;
  /** Writes all of `bytes`. */
  write(fd: number, bytes: Uint8Array, position: number): Soon<void>;
}

const missIsNoError = { throwIfNoEntry: false } as const;

export const synchronousCalls: FileCalls = {
  open: (path, flags, mode) => fs.openSync(path, flags, mode),
  openToRead(path) {
    try {
      return fs.openSync(path, readFlags);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return fs.openSync(path, plainFlags);
    }
  },
  close: (fd) => fs.closeSync(fd),
  mayExist: (path) => fs.existsSync(path),
  canRead(path) {
    try {
      fs.accessSync(path, fs.constants.R_OK);
      return true;
    } catch {
      return false;
    }
  },
  lstat: (path) => fs.lstatSync(path, missIsNoError),
  fstat: (fd) => fs.fstatSync(fd),
  futimes: (fd, atime, mtime) => fs.futimesSync(fd, atime, mtime),
  fchmod: (fd, mode) => fs.fchmodSync(fd, mode),
  rename: (from, to) => fs.renameSync(from, to),
  link: (existing, name) => fs.linkSync(existing, name),
  unlink: (path) => fs.unlinkSync(path),
  read(fd, into, position) {
    let got = 0;
    while (got < into.byteLength) {
      const count = fs.readSync(fd, into, got, into.byteLength - got, position + got);
      if (count === 0) break;
      got += count;
    }
    return got;
  },
  write(fd, bytes, position) {
    let put = 0;
    while (put < bytes.byteLength) put += fs.writeSync(fd, bytes, put, bytes.byteLength - put, position + put);
  },
};

export const asynchronousCalls: FileCalls = {
  open: (path, flags, mode) => settle((done) => fs.open(path, flags, mode, done)),
  async openToRead(path) {
    try {
      return await settle<number>((done) => fs.open(path, readFlags, done));
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return await settle<number>((done) => fs.open(path, plainFlags, done));
    }
  },
  close: (fd) => settle((done) => fs.close(fd, done)),
  mayExist: () => true,
  canRead: (path) => new Promise((resolve) => fs.access(path, fs.constants.R_OK, (error) => resolve(error === null))),
  lstat: (path) =>
    new Promise((resolve, reject) => {
      fs.lstat(path, (error, stats) => {
        if (error === null) resolve(stats);
        else if (error.code === "ENOENT") resolve(undefined);
        else reject(error);
      });
    }),
  fstat: (fd) => settle((done) => fs.fstat(fd, done)),
  futimes: (fd, atime, mtime) => settle((done) => fs.futimes(fd, atime, mtime, done)),
  fchmod: (fd, mode) => settle((done) => fs.fchmod(fd, mode, done)),
  rename: (from, to) => settle((done) => fs.rename(from, to, done)),
  link: (existing, name) => settle((done) => fs.link(existing, name, done)),
  unlink: (path) => settle((done) => fs.unlink(path, done)),
  async read(fd, into, position) {
    let got = 0;
    while (got < into.byteLength) {
      const count = await settle<number>((done) => fs.read(fd, into, got, into.byteLength - got, position + got, done));
      if (count === 0) break;
      got += count;
    }
    return got;
  },
  async write(fd, bytes, position) {
    let put = 0;
    while (put < bytes.byteLength) {
      put += await settle<number>((done) => fs.write(fd, bytes, put, bytes.byteLength - put, position + put, done));
    }
  },
};

/** Opens a folder for iteration; not from `node:fs/promises`, which takes as long to load as a small folder to list. */
export function listFolder(path: string): Promise<Dir> {
  return settle((done) => fs.opendir(path, { bufferSize: namesAtOnce }, done));
}

/** Always asynchronous. */
export function syncData(fd: number): Promise<void> {
  return settle((done) => fs.fdatasync(fd, done));
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const fd = await asynchronousCalls.open(path, fs.constants.O_RDONLY);
  try {
    await settle<void>((done) => fs.fsync(fd, done));
  } finally {
    await asynchronousCalls.close(fd);
  }
}

/** Only a file's owner may use O_NOATIME (open(2)). */
function isForbidden(error: unknown): boolean {
  return errorCode(error) === "EPERM";
}

function settle<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(error);
      else resolve(value as T);
    });
  });
}
