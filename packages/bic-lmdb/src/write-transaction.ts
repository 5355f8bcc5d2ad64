import { MoteError } from "@mote/core";
import type { RootDatabase } from "lmdb";
import { environmentOf } from "./reader-slot.js";
import { publishTransaction } from "./transaction-ids.js";
import type { WriterMark } from "./writer-mark.js";

const maxTries = 1_000;

/**
 * Runs `change`, which must write, as one transaction. What it throws leaves nothing behind.
 *
 * A process that opens an LMDB file publishes the id of the newest transaction, as it read it a moment before. If another one
 * committed in between, the next transaction would begin from an older state and overwrite what was committed. So each
 * transaction compares the published id with the data file, and publishes the right one.
 */
export function writeTransaction<Result>(
  db: RootDatabase<Buffer, Buffer>,
  { path, mark, change }: { readonly path: string; readonly mark: WriterMark; readonly change: () => Result },
): Result {
  const environment = environmentOf(db);
  for (let tries = 0; tries < maxTries; tries++) {
    try {
      return db.transactionSync(() => {
        const newest = mark.newestTransaction();
        if (environment.getWriteTxnId() !== newest + 1) {
          publishTransaction(`${path}-lock`, newest);
          throw new StaleTransaction();
        }
        mark.set(newest);
        return change();
      });
    } catch (error) {
      mark.clear();
      if (!(error instanceof StaleTransaction)) throw error;
    }
  }
  throw new MoteError("MOTE_IO", `${path}: other processes open it all the time; try again later`, {
    details: { path },
  });
}

class StaleTransaction extends Error {}
