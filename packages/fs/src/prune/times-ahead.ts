import type { BlobStore } from "../blobs/blob-store.js";
import { isAhead, renewTimes } from "../disk/file-times.js";
import { lstatIfThere } from "../disk/plain-file.js";
import type { BlobTable } from "./blob-table.js";
import type { Root } from "./roots.js";

/** Rows processed before yielding to the event loop. */
const rowsAtOnce = 4096;

/**
 * Sets times of use in the future to now. If most are in the future, this machine's clock is behind: then only those later than the
 * last change of their file. @param sinceMs when the table and the roots were first read
 */
export async function correctTimesAhead(
  store: BlobStore,
  { table, roots, sinceMs }: { readonly table: BlobTable; readonly roots: readonly Root[]; readonly sinceMs: number },
): Promise<void> {
  const suspects: number[] = [];
  for (let index = 0; index < table.length; index++) {
    const turn = index % rowsAtOnce === 0 ? store.yields.yieldAfterWork() : undefined;
    if (turn !== undefined) await turn;
    if (table.usedMsAt(index) >= sinceMs) suspects.push(index);
  }
  const areFew = 2 * suspects.length <= table.length;
  for (const index of suspects) {
    const turn = store.yields.yieldIfDue();
    if (turn !== undefined) await turn;
    const digest = table.digestAt(index);
    const stats = await store.stat(digest);
    if (stats === undefined || !isAhead(stats.atimeMs) || (!areFew && isAhead(stats.ctimeMs))) continue;
    const blob = await store.open(digest);
    if (blob === undefined) continue;
    try {
      await store.touch(blob);
    } finally {
      await store.calls.close(blob.fd);
    }
  }
  for (const { path, setMs } of roots.flatMap(({ tags }) => tags)) {
    const stats = setMs >= sinceMs ? lstatIfThere(path) : undefined;
    if (stats !== undefined && isAhead(stats.mtimeMs) && (areFew || !isAhead(stats.ctimeMs))) renewTimes(path);
  }
}
