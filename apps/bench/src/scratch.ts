import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new folder for one suite, gone when `body`'s rows have been run. */
export async function* withScratch<Row>(
  parent: string | undefined,
  body: (folder: string) => AsyncIterable<Row>,
): AsyncGenerator<Row, void, undefined> {
  const folder = await mkdtemp(join(parent ?? fastest(), "mote-bench-"));
  try {
    yield* body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Memory where there is some: a disk's mood is no measure of code. */
function fastest(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}
