import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls `body` with a new folder, gone when it is done. */
export async function withScratch<Result>(parent: string, body: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(parent, "mote-bench-"));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Memory where there is some: a disk's mood is no measure of code. */
export function fastestFolder(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}
