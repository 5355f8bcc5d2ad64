import type fs from "node:fs";
import type threads from "node:worker_threads";

/** Rows of a page: only the last page that a worker sends may have fewer. */
export const rowsInPage = 8192;

/** A share of a folder's files: those with this remainder when the last character of the name is divided by `shares`. */
export interface WalkShare {
  readonly folder: string;
  readonly share: number;
  readonly shares: number;
  /** Bytes encoded by a name of the right length. */
  readonly width: number;
  readonly pageLength: number;
}

/** A page of the regular files that were found, by column. */
export interface WalkedPage {
  count: number;
  /** `count` names, decoded to bytes. */
  readonly names: Uint8Array<ArrayBuffer>;
  readonly sizes: Float64Array<ArrayBuffer>;
  /** Unix milliseconds of the last use. */
  readonly used: Float64Array<ArrayBuffer>;
  /** Those that also have other names. */
  readonly linked: { readonly row: number; readonly links: number; readonly inode: number }[];
}

/** Runs in a worker. It is started from this function's text, so it must not refer to anything outside. */
export function walkShare({ opendirSync, lstatSync }: typeof fs, { parentPort, workerData }: typeof threads): void {
  const { folder, share, shares, width, pageLength }: WalkShare = workerData;
  const hexadecimal = /^[0-9a-f]+$/;
  const missIsNoError = { throwIfNoEntry: false } as const;
  const newPage = () => ({
    count: 0,
    names: new Uint8Array(pageLength * width),
    sizes: new Float64Array(pageLength),
    used: new Float64Array(pageLength),
    linked: [] as { row: number; links: number; inode: number }[],
  });
  let page = newPage();
  let names = Buffer.from(page.names.buffer);
  const post = () => {
    const { buffer } = page.names;
    parentPort?.postMessage(page, [buffer, page.sizes.buffer, page.used.buffer]);
    page = newPage();
    names = Buffer.from(page.names.buffer);
  };
  const dir = opendirSync(folder, { bufferSize: 4096 });
  try {
    for (let entry = dir.readSync(); entry !== null; entry = dir.readSync()) {
      const { name } = entry;
      if (name.length !== 2 * width || name.charCodeAt(name.length - 1) % shares !== share) continue;
      if (!hexadecimal.test(name)) continue;
      const stats = lstatSync(`${folder}/${name}`, missIsNoError);
      if (stats === undefined || !stats.isFile()) continue;
      names.write(name, page.count * width, "hex");
      page.sizes[page.count] = stats.size;
      page.used[page.count] = stats.atimeMs;
      if (stats.nlink > 1) page.linked.push({ row: page.count, links: stats.nlink, inode: stats.ino });
      page.count++;
      if (page.count === pageLength) post();
    }
  } finally {
    dir.closeSync();
  }
  post();
}
