import fs from "node:fs";
import {
  assertTagStoreName,
  type Cancellable,
  type Descriptor,
  type Digest,
  firstListed,
  type ListTagsOptions,
  listLimit,
  parseDescriptor,
  parseLayoutIndex,
  type Tag,
  type TagStore,
  type UntagOptions,
} from "@mote/core";
import type { ManifestNotes } from "../blobs/manifest-notes.js";
import type { CooperativeYield } from "../disk/cooperative-yield.js";
import { renewTimes } from "../disk/file-times.js";
import { lstatIfThere, removeIfThere } from "../disk/plain-file.js";
import type { CacheFolder } from "../folder/cache-folder.js";
import { writeAtomically } from "../processes/atomic-file.js";
import type { IngestFiles } from "../processes/ingest-files.js";
import type { LeaseFiles } from "../processes/lease-files.js";
import type { FolderOpening } from "./folder-opening.js";
import { LayoutView } from "./layout-view.js";
import type { MemberFiles } from "./member-files.js";
import { RepositoryNames } from "./repository-names.js";
import {
  isOfOneTag,
  nameDigest,
  readTag,
  readTagIfReadable,
  readTags,
  type StoredTag,
  tagFileOf,
  tagText,
} from "./tag-file.js";
import { TagMembers } from "./tag-members.js";
import { TagNames } from "./tag-names.js";
import { refName } from "./view-text.js";

interface TagDependencies {
  readonly ingests: IngestFiles;
  readonly opening: FolderOpening;
  readonly yields: CooperativeYield;
  /** Record a manifest as a root for `prune`, before anything names it. */
  readonly manifests: ManifestNotes;
  readonly leases: LeaseFiles;
  readonly members: MemberFiles;
}

/** Tags: one small file for each name, replaced atomically. */
export class TagFiles implements TagStore {
  /** The layout's `index.json`. */
  readonly view: LayoutView;
  readonly #from: TagDependencies;
  readonly #folder: CacheFolder;
  readonly #names: TagNames;
  readonly #members: TagMembers;

  constructor(from: TagDependencies) {
    const { ingests, yields } = from;
    this.#from = from;
    this.#folder = ingests.folder;
    this.#members = new TagMembers(from.members, new RepositoryNames(ingests));
    this.view = new LayoutView(ingests, yields, this.#members);
    this.#names = new TagNames(this.#folder.tags, yields, () => this.view.names());
  }

  async resolve(name: string, options?: Cancellable): Promise<Descriptor | undefined> {
    assertTagStoreName(name);
    this.#from.opening.toRead(options);
    return readTag(this.#pathOf(name))?.descriptor;
  }

  async tag(name: string, descriptor: Descriptor, options?: Cancellable): Promise<void> {
    assertTagStoreName(name);
    await this.#from.opening.toWrite(options);
    const tag = { name, descriptor: parseDescriptor(descriptor) };
    await using _ = await this.#from.leases.lease([nameDigest(name), tag.descriptor.digest], options?.signal);
    await this.#from.manifests.note(tag.descriptor);
    // Before the tag is visible, so that there is an entry for every tag.
    await this.#members.record(tag);
    const path = this.#pathOf(name);
    const before = readTagIfReadable(path);
    const text = tagText(name, tag.descriptor);
    if (before !== undefined && tagText(before.name, before.descriptor) === text && renewTimes(path)) return;
    {
      using __ = this.view.change(name);
      await writeAtomically(this.#from.ingests, path, text);
      // Again: another process may have removed entries before it saw the tag.
      await this.#members.record(tag);
      if (before !== undefined && before.descriptor.digest !== tag.descriptor.digest) this.#members.moved(before);
    }
    await this.view.writeIfSmall();
  }

  async untag(name: string, options?: UntagOptions): Promise<void> {
    assertTagStoreName(name);
    await this.#from.opening.toWrite(options);
    const path = this.#pathOf(name);
    const tag = readTagIfReadable(path);
    if (lstatIfThere(path) === undefined || !this.#remove(name, path)) return;
    if (tag !== undefined && options?.keepsMembership) this.#members.moved(tag);
    else if (tag !== undefined) await this.forgetMembers([tag]);
    await this.view.writeIfSmall();
  }

  async *list(options: ListTagsOptions = {}): AsyncGenerator<Tag> {
    const { prefix = "", signal } = options;
    let left = listLimit(options);
    this.#from.opening.toRead(options);
    const { names, files, error: unnamed } = await this.#names.current();
    // With a prefix: it is not known whether a tag with an unknown name has it.
    let error = prefix === "" ? unnamed : undefined;
    for (let at = firstListed(names, options); left > 0 && names[at]?.startsWith(prefix); at++) {
      signal?.throwIfAborted();
      const turn = this.#from.yields.yieldIfDue();
      if (turn !== undefined) await turn;
      try {
        const tag = readTag(`${this.#folder.tags}/${files[at]}`);
        if (tag === undefined) continue;
        left--;
        yield { name: tag.name, descriptor: tag.descriptor, setMs: tag.setMs };
      } catch (cause) {
        if (!isOfOneTag(cause)) throw cause;
        error ??= cause;
      }
    }
    if (left > 0 && error !== undefined) throw error;
  }

  /** Returns the tags in the order of names. Skips those that are damaged or unreadable. */
  async stored(): Promise<StoredTag[]> {
    return (await readTags(this.#folder, this.#from.yields)).tags;
  }

  /**
   * Removes a tag, unless it was moved to another manifest, or is about to be: a process that sets a tag leases its name. The view is
   * written later.
   * @param path another path of the tag's file
   * @returns whether it was removed
   */
  drop(tag: StoredTag, isHeld: (digest: Digest) => boolean, path: string = tag.path): boolean {
    if (isHeld(nameDigest(tag.name))) return false;
    if (readTagIfReadable(tag.path)?.descriptor.digest !== tag.descriptor.digest) return false;
    return this.#remove(tag.name, path);
  }

  #remove(name: string, path: string): boolean {
    using _ = this.view.change(name);
    return removeIfThere(path);
  }

  /** Updates the records after names were removed: their manifests may no longer belong to the repositories. */
  async forgetMembers(gone: readonly Tag[]): Promise<void> {
    await this.#members.forget(gone);
  }

  /**
   * As `recordTags` of `Membership`, including tags that another program has added to the folder.
   * @returns whether all could be recorded
   */
  async recordMembers(): Promise<boolean> {
    await this.#from.opening.toWrite();
    await this.view.write();
    const added: StoredTag[] = [];
    for (const name of await this.#names.takeUnviewed()) {
      const tag = readTagIfReadable(this.#pathOf(name));
      if (tag === undefined) continue;
      using _ = this.view.change(name);
      added.push(tag);
    }
    return await this.#members.recordAll(added, this.#from.yields);
  }

  /** Creates tags from the named entries of another program's `index.json`. @returns all entries */
  async adopt(index: Uint8Array): Promise<readonly Descriptor[]> {
    const entries = parseLayoutIndex(index);
    for (const descriptor of entries) {
      const { [refName]: name, ...annotations } = descriptor.annotations ?? {};
      if (name === undefined) continue;
      assertTagStoreName(name);
      const path = this.#pathOf(name);
      if (fs.existsSync(path)) continue;
      const { annotations: _, ...rest } = descriptor;
      const plain = Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
      await writeAtomically(this.#from.ingests, path, tagText(name, plain));
    }
    return entries;
  }

  #pathOf(name: string): string {
    return `${this.#folder.tags}/${tagFileOf(name)}`;
  }
}
