import { posix } from "node:path";
import {
  type Cancellable,
  createDigester,
  type Digest,
  type Digester,
  isDigest,
  UNTRANSFORMED,
  verifyChunks,
} from "@mote/core";
import { compressionOfFile, uncompressed } from "../compression/uncompress.js";
import type { UnpackLimits } from "../compression/unpack-limits.js";
import { readChunks } from "../disk/chunks.js";
import { invalidArchive } from "../disk/file-error.js";
import { openFile } from "../disk/opened-file.js";
import { isTemporaryName } from "../disk/temporary-name.js";
import { cleanName } from "../tar/entry-name.js";
import { type ContentEntry, readTar } from "../tar/tar-reader.js";
import type { StagedTree } from "./staged-tree.js";

export interface UnpackTarOptions extends Cancellable {
  /** Every name must equal this or be below it. `.` for any name. */
  readonly title: string;
  /** The folder of the tree that the names are below. Default: the tree's root. */
  readonly below?: string | undefined;
  /** The digest of the uncompressed tar. */
  readonly contentDigest?: string | undefined;
  readonly limits: UnpackLimits;
}

/** The uncompressed tar's properties, as read. */
export interface Unpacked {
  readonly untransformed: Digest;
  /** The compression's name, or `none`. */
  readonly transformer: string;
}

/**
 * Unpacks a tar, compressed or not. Rejects names outside the title, devices, pipes, entries below links, sizes beyond the end.
 * @throws MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO
 */
export async function unpackTar(file: string, into: StagedTree, options: UnpackTarOptions): Promise<Unpacked> {
  const opened = await openFile(file);
  try {
    const { title, below = ".", signal, contentDigest, limits } = options;
    const location = `the folder ${JSON.stringify(title)}`;
    const compression = await compressionOfFile(opened);
    const chunks =
      compression === undefined
        ? readChunks(opened, 0, file, signal)
        : uncompressed(opened, location, { compression, signal });
    const checked = isDigest(contentDigest) ? verifyChunks(chunks, { digest: contentDigest }) : chunks;
    const digester = createDigester();
    const bytes = hashing(limits.bounded(checked, location), digester);
    into.folder(posix.join(below, title), location);
    for await (const entry of readTar(bytes, location)) {
      limits.countEntry(location);
      signal?.throwIfAborted();
      await put(entry, into, { title, below, location, signal });
    }
    return { untransformed: digester.digest(), transformer: compression ?? UNTRANSFORMED };
  } finally {
    await opened.handle.close();
  }
}

async function* hashing(chunks: AsyncIterable<Uint8Array>, digester: Digester): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    digester.update(chunk);
    yield chunk;
  }
}

interface PutOptions extends Cancellable {
  readonly title: string;
  readonly below: string;
  readonly location: string;
}

async function put(entry: ContentEntry, tree: StagedTree, options: PutOptions): Promise<void> {
  const { name, type, size, mode, linkName, content } = entry;
  const { location, signal } = options;
  const path = pathOf(name, options);
  if (type === "folder" || (type === "file" && name.endsWith("/"))) tree.folder(path, location);
  else if (type === "file") {
    await tree.file(path, { size, isProgram: (mode & 0o100) !== 0, content }, location, { signal });
  } else if (type === "link") tree.link(path, linkName, location);
  else if (type === "hard-link") tree.hardLink(path, pathOf(linkName, options), location);
  else throw invalidArchive(location, `${JSON.stringify(path)} is not a file, folder or link`);
}

function pathOf(name: string, { title, below, location }: PutOptions): string {
  const path = cleanName(name, location);
  // The next pull would treat it as an orphan, and remove it.
  if (path.split("/").some(isTemporaryName)) {
    throw invalidArchive(
      location,
      `${JSON.stringify(path.slice(0, 200))} has a name that is reserved for incomplete files`,
    );
  }
  if (title === "." || path === title || path.startsWith(`${title}/`)) return posix.join(below, path);
  throw invalidArchive(location, `${JSON.stringify(path.slice(0, 200))} is outside of it`);
}
