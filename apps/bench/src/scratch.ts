import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls `body` with a new directory and removes it afterwards. */
export async function withScratch<Result>(parent: string, body: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(parent, "mote-bench-"));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Returns a directory in memory if possible, because the speed of a disk says nothing about the code. */
export function fastestFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}
