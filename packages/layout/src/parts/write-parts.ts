import { lstat, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Cancellable, createDigester, type Digest, errorCode, MoteError } from "@mote/core";
import { writeFileAtomically } from "../disk/atomic-write.js";
import { ByteReader } from "../disk/byte-reader.js";
import { attempt } from "../disk/file-error.js";
import { formatPartList, readPartList } from "./part-list.js";
import { partListPath, partPath } from "./part-names.js";

/** More would need longer names, and are a typing error. */
const maxParts = 9_999;
const smallestPartBytes = 1024 * 1024;

interface WritePartsOptions extends Cancellable {
  readonly partBytes: number;
  /** A folder on the same file system for incomplete files. */
  readonly folder: string;
}

/**
 * Writes an archive in parts, and the list of them with their checksums. Replaces an earlier one once all parts are written.
 * @throws MOTE_EXISTS if a file that is not a part of the earlier one has the name of a part · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO
 */
export async function writeParts(
  archive: string,
  chunks: AsyncIterable<Uint8Array>,
  { partBytes, folder, signal }: WritePartsOptions,
): Promise<void> {
  if (!Number.isSafeInteger(partBytes) || partBytes < smallestPartBytes)
    throw new TypeError(`partBytes is at least ${smallestPartBytes}`);
  const earlier = await readPartList(archive).catch(() => []);
  const staged = (number: number) => join(folder, `part-${number}`);
  const rest = new ByteReader(chunks);
  const parts: { size: number; digest: Digest }[] = [];
  while (!(await rest.isEmpty())) {
    if (parts.length === maxParts)
      throw new TypeError(`an archive has at most ${maxParts} parts; choose a larger size`);
    const digester = createDigester();
    let size = 0;
    const part = (async function* () {
      for await (const chunk of rest.take(partBytes)) {
        digester.update(chunk);
        size += chunk.byteLength;
        yield chunk;
      }
    })();
    const number = parts.length + 1;
    await assertReplaceable(partPath(archive, number), earlier);
    await writeFileAtomically(staged(number), part, { temporary: join(folder, "part"), signal });
    parts.push({ size, digest: digester.digest() });
  }
  const list = formatPartList(archive, parts);
  // First, so that what an interruption leaves is known as a damaged archive, and replaced by the next attempt.
  await writeFileAtomically(partListPath(archive), [list], { temporary: join(folder, "parts"), signal });
  for (const at of parts.keys()) {
    const path = partPath(archive, at + 1);
    await attempt(rename(staged(at + 1), path), path);
  }
  for (const { path } of earlier.slice(parts.length)) await rm(path, { force: true });
}

/** Removes the parts of an archive and their list, if it is there in parts. */
export async function removeParts(archive: string): Promise<void> {
  const earlier = await readPartList(archive).catch(() => []);
  for (const { path } of earlier) await rm(path, { force: true });
  if (earlier.length > 0) await rm(partListPath(archive), { force: true });
}

/** @throws MOTE_EXISTS */
async function assertReplaceable(path: string, earlier: readonly { readonly path: string }[]): Promise<void> {
  if (earlier.some((part) => part.path === path)) return;
  try {
    await lstat(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  const message = `${path} exists, and is not a part of an earlier archive; remove it, or choose another name`;
  throw new MoteError("MOTE_EXISTS", message, { details: { path } });
}
