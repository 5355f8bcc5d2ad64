import { lstatSync, writeFileSync } from "node:fs";
import { link, mkdir, open, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  type Cancellable,
  createDigester,
  type Digest,
  type Digester,
  isDigest,
  MoteError,
  UNTRANSFORMED,
  verifyChunks,
} from "@mote/core";
import { readChunks } from "./chunks.js";
import { errorNumber, writeFailed } from "./file-error.js";
import { FolderFiles } from "./named-files.js";
import { cleanName, maxExtensionBytes, readPax, type TarExtension, textOf } from "./tar-entries.js";
import { blockBytes, invalidArchive, paddedBytes, readTarHeader, type TarHeader } from "./tar-header.js";
import { compressionOf, uncompressed } from "./uncompress.js";
import { ByteTaker } from "./unpack-bytes.js";
import { staysInside } from "./unpack-link.js";

/** Written in one call, which is several times faster than in several. */
const smallBytes = 64 * 1024;
const maxLinks = 100_000;

export interface UnpackOptions extends Cancellable {
  /** Every name in the tar is this, or below it. `.` for any name. */
  readonly title: string;
  /** Of the tar before it was compressed. */
  readonly contentDigest?: string | undefined;
}

/** What the tar was before it was compressed, as its bytes have shown. */
export interface Unpacked {
  readonly untransformed: Digest;
  /** Its compression's name, or that of none. */
  readonly transformer: string;
}

/**
 * Unpacks a tar, compressed or not, into a folder that nobody else writes to. Of a file's mode only the permission to run is
 * taken. Refused are names outside the title, absolute ones and those with `..`; a name twice; devices; links that lead out,
 * and whatever is below a link; sizes beyond the end.
 * @throws MOTE_INVALID_ARCHIVE · MOTE_DIGEST_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE · MOTE_IO
 */
export async function unpackTar(file: string, into: string, options: UnpackOptions): Promise<Unpacked> {
  const opened = await new FolderFiles(dirname(file)).open(basename(file));
  try {
    const place = `the folder ${JSON.stringify(options.title)}`;
    const magic = new Uint8Array(4);
    await opened.handle.read(magic, 0, 4, opened.offset);
    const compression = compressionOf(magic);
    const { signal, contentDigest } = options;
    const chunks =
      compression === undefined
        ? readChunks(opened, 0, file, signal)
        : uncompressed(opened, place, { compression, signal });
    const checked = isDigest(contentDigest) ? verifyChunks(chunks, { digest: contentDigest }) : chunks;
    const digester = createDigester();
    await new Unpacking(new ByteTaker(hashing(checked, digester)), into, place, options).run();
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

class Unpacking {
  readonly #bytes: ByteTaker;
  readonly #into: string;
  readonly #place: string;
  readonly #title: string;
  readonly #signal: AbortSignal | undefined;
  readonly #folders = new Set<string>();
  /** Made last: until then no path leads through a link. */
  readonly #links = new Map<string, string>();

  constructor(bytes: ByteTaker, into: string, place: string, { title, signal }: UnpackOptions) {
    this.#bytes = bytes;
    this.#into = into;
    this.#place = place;
    this.#title = title;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    try {
      await this.#folder(this.#title);
      for (let header = await this.#header(); header !== undefined; header = await this.#header()) {
        this.#signal?.throwIfAborted();
        await this.#entry(header);
      }
      // What follows the end counts for the digest.
      await this.#bytes.skip(Number.POSITIVE_INFINITY);
      for (const [path, target] of this.#links) await this.#make(path, (at) => symlink(target, at));
    } finally {
      await this.#bytes.close();
    }
  }

  /** The next header, with what extensions before it say. */
  async #header(): Promise<TarHeader | undefined> {
    for (let extended: TarExtension = {}; ; ) {
      const block = await this.#bytes.whole(blockBytes);
      if (block.byteLength < blockBytes) throw this.#invalid("it ends too early");
      const header = readTarHeader(block, this.#place);
      if (header === undefined) return undefined;
      const { type, size } = header;
      if (type !== "pax" && type !== "pax-global" && type !== "long-name" && type !== "long-link") {
        return { ...header, ...extended };
      }
      if (size > maxExtensionBytes) throw this.#invalid("a header's extension is too large");
      const body = (await this.#bytes.whole(paddedBytes(size))).subarray(0, size);
      if (type === "pax") extended = { ...extended, ...readPax(body, this.#place) };
      if (type === "long-name") extended = { ...extended, name: textOf(body) };
      if (type === "long-link") extended = { ...extended, linkName: textOf(body) };
    }
  }

  async #entry(header: TarHeader): Promise<void> {
    const { name, type, size, linkName } = header;
    const path = this.#pathOf(name);
    if (type === "file" && !name.endsWith("/")) return this.#file(path, header);
    if (type === "folder" || type === "file") await this.#folder(path);
    else if (type === "link") this.#link(path, linkName);
    else if (type === "hard-link") await this.#hardLink(path, this.#pathOf(linkName));
    else throw this.#invalid(`${JSON.stringify(path)} is neither file, folder nor link`);
    if ((await this.#bytes.skip(paddedBytes(size))) < size) throw this.#tooLong(path);
  }

  async #file(path: string, { size, mode }: TarHeader): Promise<void> {
    await this.#folder(dirname(path));
    const permissions = mode & 0o100 ? 0o777 : 0o666;
    if (size <= smallBytes) {
      const bytes = await this.#bytes.whole(size);
      if (bytes.byteLength < size) throw this.#tooLong(path);
      await this.#make(path, (at) => writeFileSync(at, bytes, { flag: "wx", mode: permissions }));
    } else {
      const handle = await this.#make(path, (at) => open(at, "wx", permissions));
      try {
        let written = 0;
        for await (const chunk of this.#bytes.take(size)) {
          this.#signal?.throwIfAborted();
          await this.#make(path, () => handle.writeFile(chunk));
          written += chunk.byteLength;
        }
        if (written < size) throw this.#tooLong(path);
      } finally {
        await handle.close();
      }
    }
    await this.#bytes.skip(paddedBytes(size) - size);
  }

  async #folder(path: string): Promise<void> {
    if (this.#folders.has(path)) return;
    await this.#make(path, (at) => mkdir(at, { recursive: true }));
    this.#folders.add(path);
  }

  #link(path: string, target: string): void {
    const below = this.#title === "." ? path : path.slice(this.#title.length + 1);
    if (below === "" || below === "." || !staysInside(below, target)) {
      throw this.#invalid(`the link ${JSON.stringify(path)} leads out of it`);
    }
    if (this.#links.has(path)) throw this.#invalid(`${JSON.stringify(path)} is there twice`);
    if (this.#links.size >= maxLinks) throw this.#invalid(`there are more than ${maxLinks} links in it`);
    this.#links.set(path, target);
  }

  async #hardLink(path: string, target: string): Promise<void> {
    await this.#folder(dirname(path));
    if (!lstatSync(join(this.#into, target), { throwIfNoEntry: false })?.isFile()) {
      throw this.#invalid(`the link ${JSON.stringify(path)} leads to no file before it`);
    }
    await this.#make(path, (at) => link(join(this.#into, target), at));
  }

  #pathOf(name: string): string {
    const path = cleanName(name, this.#place);
    if (this.#title === "." || path === this.#title || path.startsWith(`${this.#title}/`)) return path;
    throw this.#invalid(`${JSON.stringify(path.slice(0, 200))} is outside of it`);
  }

  /** Where something is already, the archive has a name twice, or one below a file or link. */
  async #make<T>(path: string, make: (at: string) => T | Promise<T>): Promise<T> {
    const at = join(this.#into, path);
    try {
      return await make(at);
    } catch (error) {
      const number = errorNumber(error);
      if (number === "EEXIST" || number === "ENOTDIR" || number === "EISDIR") {
        throw this.#invalid(`${JSON.stringify(path)} is there twice, or below what is no folder`);
      }
      throw MoteError.isInstance(error) ? error : writeFailed(error, at);
    }
  }

  #tooLong(path: string): MoteError {
    return this.#invalid(`${JSON.stringify(path)} has more bytes than the archive`);
  }

  #invalid(what: string): MoteError {
    return invalidArchive(this.#place, what);
  }
}
