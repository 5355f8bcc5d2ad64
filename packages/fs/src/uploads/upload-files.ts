import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { type DigestAlgorithm, identityPattern, isAbsent, isDigestAlgorithm, type ProcessIdentity } from "@mote/core";
import { fileError } from "../disk/file-error.js";
import { lstatIfThere, namesIn, removeIfThere } from "../disk/plain-file.js";
import { CacheFolder } from "../folder/cache-folder.js";
import { FolderFormat } from "../processes/folder-format.js";
import { type IngestFiles, noOwner } from "../processes/ingest-files.js";
import { isSilent } from "../processes/writer-locks.js";

/** The format version of `.mote/uploads/`. */
const formatVersion = 1;

export interface UploadFile {
  readonly path: string;
  readonly id: string;
  /** The hash of the repository's name. */
  readonly repository: string;
  readonly algorithm: DigestAlgorithm;
  readonly owner: ProcessIdentity;
}

const fileName = new RegExp(String.raw`^([0-9a-f]{32})\.([0-9a-f]{64})\.(sha\d{3})\.(${identityPattern})\.[0-9a-f]+$`);

/**
 * Names the files of uploads, which contain nothing but the received bytes:
 *
 *     .mote/uploads/format.json
 *     .mote/uploads/<id>.<hash of the repository>.<algorithm>.<owner>.<instance>
 *
 * A process that writes to a file first gives it its own name, which only one process can do.
 */
export class UploadFiles {
  readonly #folder: string;
  readonly #ingests: IngestFiles;
  readonly #format: FolderFormat;
  /** Tells objects of the same process apart. */
  readonly #instance = randomBytes(4).toString("hex");

  constructor(ingests: IngestFiles) {
    this.#folder = ingests.folder.uploads;
    this.#ingests = ingests;
    this.#format = new FolderFormat(ingests, this.#folder, "mote-uploads", formatVersion);
  }

  /** Creates an empty file. */
  async create(repository: string, algorithm: DigestAlgorithm): Promise<UploadFile> {
    await this.#format.establish();
    const id = randomBytes(16).toString("hex");
    const file = this.#named({ id, repository: CacheFolder.hashOf(repository), algorithm }, noOwner);
    try {
      fs.closeSync(this.#ingests.create(file.path));
    } catch (error) {
      throw fileError(error, "write", file.path);
    }
    return file;
  }

  list(): UploadFile[] {
    this.#format.check();
    return namesIn(this.#folder).flatMap((name) => {
      const [, id = "", repository = "", algorithm, owner = ""] = fileName.exec(name) ?? [];
      if (!isDigestAlgorithm(algorithm)) return [];
      return [{ path: `${this.#folder}/${name}`, id, repository, algorithm, owner }];
    });
  }

  find(repository: string, id: string): UploadFile | undefined {
    const hash = CacheFolder.hashOf(repository);
    return this.list().find((file) => file.id === id && file.repository === hash);
  }

  /** Returns whether another caller may be writing to the file. */
  isBusy(file: UploadFile): boolean {
    const stats = lstatIfThere(file.path);
    return stats !== undefined && !isSilent(stats) && this.#ingests.isAlive(file);
  }

  /** Gives a file that is not busy the name of this object. Returns undefined if another one did so first. */
  acquire(file: UploadFile): UploadFile | undefined {
    return this.#rename(file, this.#named(file, this.#ingests.owner));
  }

  /** Lets others write to the file. Returns whether it still had the name of this object. */
  release(file: UploadFile): boolean {
    return this.#rename(file, this.#named(file, noOwner)) !== undefined;
  }

  /** Returns whether it existed. */
  remove({ path }: UploadFile): boolean {
    return removeIfThere(path);
  }

  #rename(from: UploadFile, to: UploadFile): UploadFile | undefined {
    try {
      fs.renameSync(from.path, to.path);
      return to;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw fileError(error, "write", from.path);
    }
  }

  #named({ id, repository, algorithm }: Omit<UploadFile, "path" | "owner">, owner: ProcessIdentity): UploadFile {
    const name = [id, repository, algorithm, owner, this.#instance].join(".");
    return { id, repository, algorithm, owner, path: `${this.#folder}/${name}` };
  }
}
