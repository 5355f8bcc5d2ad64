import { MoteError } from "@mote/core";
import type { RootDatabase } from "lmdb";
import { environmentOf } from "./reader-slot.js";
import { publishTransaction } from "./transaction-ids.js";
import type { WriterMark } from "./writer-mark.js";

const maxTries = 1_000;

/**
 * Runs `change`, which must write, as one transaction. It is rolled back if `change` throws.
 *
 * A process that opens an LMDB file publishes the id of the newest transaction that it has read. If another process committed in
 * between, the next transaction would start from an older state and overwrite the newest one. Therefore each transaction compares
 * the published id with the data file, and publishes the right one.
 * @throws MOTE_IO if other processes keep the file open
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
  throw new MoteError("MOTE_IO", `cannot write ${path}: other processes keep it open; retry later`, {
    details: { path },
  });
}

class StaleTransaction extends Error {}
