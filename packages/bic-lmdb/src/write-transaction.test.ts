import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "lmdb";
import { afterAll, expect, it } from "vitest";
import { publishTransaction } from "./transaction-ids.js";
import { writeTransaction } from "./write-transaction.js";
import { WriterMark } from "./writer-mark.js";

const folder = mkdtempSync(join(tmpdir(), "mote-bic-"));
afterAll(() => rmSync(folder, { recursive: true }));

it.each([1, 2, 3])("starts from the newest transaction if one %i older was published", async (older) => {
  const path = join(folder, `${older}.lmdb`);
  const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: "binary", encoding: "binary" });
  const mark = new WriterMark(path, 0o600);
  for (let i = 0; i < 10; i++) {
    writeTransaction(db, { path, mark, change: () => db.putSync(Buffer.from([i]), Buffer.from([i])) });
    publishTransaction(`${path}-lock`, mark.newestTransaction() - (i % 4 === 3 ? older : 0));
  }
  expect(db.getKeysCount()).toBe(10);
  expect(mark.newestTransaction()).toBe(10);
  await db.close();
  mark.close();
});

it("removes the mark of a failed transaction", async () => {
  const path = join(folder, "failed.lmdb");
  const db = open<Buffer, Buffer>({ path, noSubdir: true, keyEncoding: "binary", encoding: "binary" });
  const mark = new WriterMark(path, 0o600);
  writeTransaction(db, { path, mark, change: () => db.putSync(Buffer.from([1]), Buffer.from([1])) });
  let holder = 0;
  const change = () => {
    holder = markedProcess(path);
    throw new Error("no");
  };
  expect(() => writeTransaction(db, { path, mark, change })).toThrow("no");
  expect(holder).toBe(process.pid);
  expect(markedProcess(path)).toBe(0);
  await db.close();
  mark.close();
});

function markedProcess(path: string): number {
  return readFileSync(`${path}-writer`).readDoubleLE(0);
}
