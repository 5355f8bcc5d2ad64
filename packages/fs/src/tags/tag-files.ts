import fs from "node:fs";
import {
  type Cancellable,
  type Descriptor,
  type Digest,
  digestBytes,
  digestEncoded,
  isAbsent,
  type Lease,
  MoteError,
  mediaTypes,
  parseDescriptor,
  parseImageName,
  parseLayoutIndex,
  parseRecord,
  type Tag,
  type TagStore,
} from "@mote/core";
import type { CooperativeYield } from "../disk/cooperative-yield.js";
import { fileError, isUnreadable } from "../disk/file-error.js";
import { notAhead } from "../disk/file-times.js";
import { openPlainFile, readPlainFile, readWhole } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { MemberFiles } from "./member-files.js";

/** image-spec, annotations.md. */
const refName = "org.opencontainers.image.ref.name";
const longestName = 4096;

/** What is done before the folder is used, and throws where it must not be. */
export interface ReadyFolder {
  toRead(): void;
  toWrite(): Promise<void>;
  /** A manifest is a root for `prune`, and known as such before anything names it. */
  noteManifest(manifest: Pick<Descriptor, "digest" | "mediaType">): Promise<void> | undefined;
  /** Until it is released, no prune removes these. */
  hold(digests: readonly Digest[], signal: AbortSignal | undefined): Promise<Lease>;
  /** Where it is recorded to which repository a name's manifest belongs. */
  readonly members: MemberFiles;
}

/** A tag and its file, for `prune`. */
export interface StoredTag extends Tag {
  readonly path: string;
  /** Unix milliseconds of its last setting. */
  readonly setMs: number;
}

/** Tags: one small file for each name, replaced atomically. The layout's `index.json` is a view made from them. */
export class TagFiles implements TagStore {
  readonly #folder: CacheFolder;
  readonly #ingests: IngestFiles;
  readonly #ready: ReadyFolder;
  readonly #yields: CooperativeYield;
  #writing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(folder: CacheFolder, ingests: IngestFiles, ready: ReadyFolder, yields: CooperativeYield) {
    this.#folder = folder;
    this.#ingests = ingests;
    this.#ready = ready;
    this.#yields = yields;
  }

  async resolve(name: string, options?: Cancellable): Promise<Descriptor | undefined> {
    options?.signal?.throwIfAborted();
    this.#ready.toRead();
    return this.#read(this.#pathOf(name))?.descriptor;
  }

  async tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void> {
    const path = this.#pathOf(name);
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    const named = parseDescriptor(descriptor);
    await using _ = await this.#ready.hold([nameDigest(name), named.digest], options?.signal);
    await this.#ready.noteManifest(named);
    await writeAtomically(this.#ingests, path, tagText(name, named));
    await this.#recordMember({ name, descriptor: named });
    await this.writeView();
  }

  async untag(name: string, options?: Cancellable): Promise<void> {
    const path = this.#pathOf(name);
    options?.signal?.throwIfAborted();
    await this.#ready.toWrite();
    const descriptor = this.#readUnlessDamaged(path)?.descriptor;
    if (!removeIfThere(path)) return;
    await this.writeView();
    if (descriptor !== undefined) await this.forgetMembers([{ name, descriptor }]);
  }

  async *list(options?: Cancellable): AsyncIterable<Tag> {
    this.#ready.toRead();
    const { tags, damaged } = await this.#readAll();
    for (const { name, descriptor, setMs } of tags) {
      options?.signal?.throwIfAborted();
      yield { name, descriptor, setMs };
    }
    if (damaged !== undefined) throw damaged;
  }

  /** In the order of names. One that is damaged or cannot be read is skipped. */
  async stored(): Promise<StoredTag[]> {
    return (await this.#readAll()).tags;
  }

  async #readAll(): Promise<{ readonly tags: StoredTag[]; readonly damaged: unknown }> {
    let files: string[];
    try {
      files = fs.readdirSync(this.#folder.tags);
    } catch (error) {
      if (isAbsent(error)) return { tags: [], damaged: undefined };
      throw fileError(error, "read", this.#folder.tags);
    }
    const tags: StoredTag[] = [];
    let damaged: unknown;
    for (const file of files) {
      if (!file.endsWith(".json")) continue;
      const turn = this.#yields.yieldIfDue();
      if (turn !== undefined) await turn;
      try {
        const tag = this.#read(`${this.#folder.tags}/${file}`);
        if (tag !== undefined) tags.push(tag);
      } catch (error) {
        if (!isOfOneTag(error)) throw error;
        damaged ??= error;
      }
    }
    return { tags: tags.sort((a, b) => (a.name < b.name ? -1 : 1)), damaged };
  }

  /** Removes a tag without writing the view, unless it was moved to another manifest, or is about to be. @returns whether it did */
  drop(tag: StoredTag, isHeld: (digest: Digest) => boolean, path: string = tag.path): boolean {
    if (isHeld(nameDigest(tag.name)) || !this.#isStill(tag)) return false;
    return removeIfThere(path);
  }

  #isStill({ descriptor, path }: StoredTag): boolean {
    return this.#readUnlessDamaged(path)?.descriptor.digest === descriptor.digest;
  }

  /** Removes records after names were removed: what none of a repository's other names stands for, and all with its last name. */
  async forgetMembers(gone: readonly Tag[]): Promise<void> {
    const { members } = this.#ready;
    const repositories = new Map<string, Set<Digest>>();
    for (const { name, descriptor } of gone) {
      const repository = parseImageName(name)?.repository.full;
      if (repository === undefined) continue;
      repositories.set(repository, (repositories.get(repository) ?? new Set()).add(descriptor.digest));
    }
    if (repositories.size === 0) return;
    const ofThese = async () =>
      (await this.stored()).filter(({ name }) => repositories.has(parseImageName(name)?.repository.full ?? ""));
    const left = await ofThese();
    const still = new Set(left.map(({ name }) => parseImageName(name)?.repository.full));
    for (const [repository, digests] of repositories) {
      if (!still.has(repository)) await members.remove(repository);
      else for (const digest of digests) await members.remove(repository, digest);
    }
    // Also those that another process has set meanwhile.
    for (const tag of await ofThese()) await this.#recordMember(tag);
  }

  /** A failure costs nothing: what the tags say can be recorded later. */
  async #recordMember({ name, descriptor }: Tag): Promise<void> {
    const repository = parseImageName(name)?.repository.full;
    if (repository === undefined) return;
    try {
      await this.#ready.members.record(repository, descriptor.digest, { named: true });
    } catch (error) {
      if (!MoteError.isInstance(error)) throw error;
    }
  }

  #readUnlessDamaged(path: string): StoredTag | undefined {
    try {
      return this.#read(path);
    } catch (error) {
      if (MoteError.isInstance(error) && error.code === "MOTE_CORRUPT") return undefined;
      throw error;
    }
  }

  /** Makes tags of the named entries of an `index.json` that others wrote. @returns all entries */
  async adopt(index: Uint8Array): Promise<readonly Descriptor[]> {
    const entries = parseLayoutIndex(index);
    for (const descriptor of entries) {
      const { [refName]: name, ...annotations } = descriptor.annotations ?? {};
      if (name === undefined) continue;
      const path = this.#pathOf(name);
      if (fs.existsSync(path)) continue;
      const { annotations: _, ...rest } = descriptor;
      const plain = Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
      await writeAtomically(this.#ingests, path, tagText(name, plain));
    }
    return entries;
  }

  /**
   * Writes `index.json` from the tags. Each writer looks again afterwards, so the last of any number of processes leaves what is true. Callers that
   * come while it runs share the next run.
   */
  writeView(): Promise<void> {
    this.#queued ??= (this.#writing ?? Promise.resolve()).then(() => {
      this.#queued = undefined;
      const run = this.#converge();
      this.#writing = run.catch(() => {});
      return run;
    });
    return this.#queued;
  }

  /** As `writeView`; a full disk has no room for it, and it is written when there is some. */
  async writeViewIfRoom(): Promise<void> {
    try {
      await this.writeView();
    } catch (error) {
      if (!MoteError.isInstance(error) || error.code !== "MOTE_NO_SPACE") throw error;
    }
  }

  async #converge(): Promise<void> {
    for (let wanted = await this.#viewText(); wanted !== this.#viewOnDisk(); wanted = await this.#viewText()) {
      await writeAtomically(this.#ingests, this.#folder.indexFile, wanted);
      // What was written just now and cannot be read will not be readable the next time either.
      if (this.#viewOnDisk() === undefined) return;
    }
  }

  /** What `JSON.stringify` makes of it, in yields. */
  async #viewText(): Promise<string> {
    const entries: string[] = [];
    for (const { name, descriptor } of await this.stored()) {
      const turn = this.#yields.yieldIfDue();
      if (turn !== undefined) await turn;
      const entry = { ...descriptor, annotations: { ...descriptor.annotations, [refName]: name } };
      entries.push(JSON.stringify([entry], undefined, 2).slice(1, -2).replaceAll("\n", "\n  "));
    }
    const head = { schemaVersion: 2, mediaType: mediaTypes.ociIndex };
    const list = entries.length === 0 ? "[]" : `[${entries.join(",")}\n  ]`;
    return `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "manifests": ${list}\n}\n`;
  }

  /** Undefined also where it cannot be read: it is written again. */
  #viewOnDisk(): string | undefined {
    try {
      return readPlainFile(this.#folder.indexFile)?.toString("utf8");
    } catch (error) {
      if (isUnreadable(error)) return undefined;
      throw fileError(error, "read", this.#folder.indexFile);
    }
  }

  #read(path: string): StoredTag | undefined {
    let text: string;
    let setMs: number;
    try {
      const file = openPlainFile(path, (fd, stats) => ({
        text: readWhole(fd, stats).toString("utf8"),
        setMs: notAhead(stats.mtimeMs),
      }));
      if (file === undefined) return undefined;
      ({ text, setMs } = file);
    } catch (error) {
      throw fileError(error, "read", path);
    }
    try {
      const { name, descriptor } = parseRecord(text) ?? {};
      return { name: String(name), descriptor: parseDescriptor(descriptor), path, setMs };
    } catch (cause) {
      const message = `the tag file ${path} is damaged; remove it and set the tag again`;
      throw new MoteError("MOTE_CORRUPT", message, { cause });
    }
  }

  /** Any name is a file's name this way. */
  #pathOf(name: string): string {
    if (typeof name !== "string" || name === "" || name.length > longestName || /\p{Cc}/u.test(name)) {
      throw new MoteError(
        "MOTE_INVALID_NAME",
        `a tag is 1 to ${longestName} characters, none of them a control character`,
        {
          details: { name },
        },
      );
    }
    return `${this.#folder.tags}/${digestEncoded(nameDigest(name))}.json`;
  }
}

/** Damaged, or not to be read: the other tags are none the worse for it. */
function isOfOneTag(error: unknown): boolean {
  return (MoteError.isInstance(error) && error.code === "MOTE_CORRUPT") || isUnreadable(error);
}

function tagText(name: string, descriptor: Descriptor): string {
  return `${JSON.stringify({ name, descriptor })}\n`;
}

/** What stands for a name, in its file's name and in leases. */
function nameDigest(name: string): Digest {
  return digestBytes(Buffer.from(name));
}

/** @returns whether it was there */
function removeIfThere(path: string): boolean {
  try {
    fs.unlinkSync(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw fileError(error, "write", path);
  }
}
