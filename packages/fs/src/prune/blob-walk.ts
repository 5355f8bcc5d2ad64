import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import type { BlobStore } from "../blobs/blob-store.js";
import { listFolder } from "../disk/file-calls.js";
import { rowsInPage, type WalkedPage, type WalkShare, walkShare } from "./walk-worker.js";

const mostWorkers = 4;
const workerMegabytes = 16;

/** The names in a folder, unless there are more than `most`. */
export async function namesUpTo(
  store: BlobStore,
  folder: string,
  most: number,
  signal: AbortSignal | undefined,
): Promise<string[] | undefined> {
  const names: string[] = [];
  for await (const { name } of await listFolder(folder)) {
    signal?.throwIfAborted();
    if (names.push(name) > most) return undefined;
    const turn = store.yields.yieldIfDue();
    if (turn !== undefined) await turn;
  }
  return names;
}

/** Workers that a walk is shared by, as each has a core of its own; none where there is but one core. */
export function walkersAtHand(): number {
  const cores = availableParallelism();
  return cores < 2 ? 0 : Math.min(cores, mostWorkers);
}

/** Looks at a folder's regular files with several threads at once. @throws what stopped a worker; then no page is to be trusted to be the last */
export async function walkTogether(
  folder: string,
  width: number,
  onPage: (page: WalkedPage) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const shares = walkersAtHand();
  const workers: Worker[] = [];
  try {
    const ends = Array.from({ length: shares }, (_, share) => {
      const worker = startWorker({ folder, share, shares, width, pageLength: rowsInPage });
      workers.push(worker);
      return endOf(worker, onPage, signal);
    });
    await Promise.all(ends);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function startWorker(workerData: WalkShare): Worker {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  return new Worker(`(${walkShare})(require("node:fs"), require("node:worker_threads"))`, {
    eval: true,
    // Whatever the process was started with is of no use to a walk, and may take long to load.
    execArgv: [],
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: workerMegabytes },
  });
}

async function endOf(
  worker: Worker,
  onPage: (page: WalkedPage) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stop = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (page: WalkedPage) => {
        try {
          onPage(page);
        } catch (error) {
          reject(error);
        }
      });
      worker.on("error", reject);
      worker.on("exit", (code) => {
        if (code === 0) resolve();
        else reject(new Error(`a worker ended with code ${code}`));
      });
      signal?.addEventListener("abort", () => reject(signal.reason), { signal: stop.signal });
    });
  } finally {
    stop.abort();
  }
}
