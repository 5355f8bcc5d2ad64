import { type FileHandle, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve, sep } from "node:path";
import {
  type BlobOptions,
  BytesReader,
  type Cancellable,
  type ContentSource,
  type Descriptor,
  type Digest,
  digestBytes,
  isMediaType,
  MoteError,
  type MoteReader,
  maxManifestBytes,
  mediaTypes,
  type Ref,
} from "@mote/core";
import { BlobReader } from "../disk/blob-reader.js";
import { hashFile } from "../disk/chunks.js";
import { attemptRead } from "../disk/file-error.js";
import { identityOf, type OpenedFile, openFile } from "../disk/opened-file.js";
import { TemporaryFolder } from "../disk/temporary-folder.js";
import { packFolder } from "./artifact-pack.js";
import {
  assertApart,
  cleanTitle,
  contentDigestAnnotation,
  titleAnnotation,
  unknownArtifactType,
  unpackAnnotation,
} from "./artifact-title.js";

/** A file or folder to be a layer of an artifact. */
export interface FileInput {
  readonly path: string;
  /** Default: the given path, if it is below the working folder; else its last component. */
  readonly title?: string | undefined;
  /** Default: `application/octet-stream`; for a folder, the type of a compressed tar. */
  readonly mediaType?: string | undefined;
}

export interface FilesSourceOptions {
  /** Default: `application/vnd.unknown.artifact.v1`. */
  readonly artifactType?: string | undefined;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** The folder for packed folders, until the source is disposed of. Default: a new one in the system's temporary folder. */
  readonly temporaryDir?: string | undefined;
}

interface NamedInput {
  readonly path: string;
  readonly title: string;
  readonly mediaType: string | undefined;
}

/** The location of a layer's bytes, and the file's identity when hashed. */
interface Content {
  readonly path: string;
  readonly identity: string;
}

interface Packed {
  readonly manifest: Uint8Array;
  readonly descriptor: Descriptor;
  readonly contents: ReadonlyMap<Digest, Content>;
}

const emptyConfig = new TextEncoder().encode("{}");

/**
 * Plain files and folders as an OCI artifact (image-spec, manifest.md, "Guidelines for Artifact Usage"), like oras: one layer each,
 * folders as compressed temporary tars. The same files give the same manifest. Dispose of it.
 */
export class FilesSource implements ContentSource {
  readonly #files: readonly NamedInput[];
  readonly #options: FilesSourceOptions;
  #packing: Promise<Packed> | undefined;
  #temporary: TemporaryFolder | undefined;
  #isClosed = false;

  /** @throws MOTE_INVALID_NAME for a duplicate or invalid name · TypeError for an invalid media type */
  constructor(files: readonly FileInput[], options: FilesSourceOptions = {}) {
    if (files.length === 0) throw new TypeError("an artifact needs at least one file");
    for (const type of [options.artifactType, ...files.map(({ mediaType }) => mediaType)]) {
      if (type !== undefined && !isMediaType(type))
        throw new TypeError(`"${type}" is not a valid media type, such as text/csv`);
    }
    this.#files = files.map(({ path, title, mediaType }) => ({
      path: resolve(path),
      title: cleanTitle(title ?? titleOf(path)),
      mediaType,
    }));
    assertApart(this.#files.map(({ title }) => title));
    this.#options = options;
  }

  /** Returns the artifact's manifest, whatever the reference. Hashes and packs all. @throws MOTE_NOT_FOUND · MOTE_IO · MOTE_NO_SPACE … */
  async resolve(_ref: Ref | string = "", options: Cancellable = {}): Promise<Descriptor> {
    return (await this.#packed(options)).descriptor;
  }

  async manifest({ digest }: Descriptor, options: Cancellable = {}): Promise<Uint8Array> {
    const { manifest, descriptor } = await this.#packed(options);
    if (digest === descriptor.digest) return manifest;
    throw this.#absent(digest);
  }

  /** @throws MOTE_NOT_FOUND · MOTE_IO also if the file has changed since it was hashed */
  async blob(descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    const { digest, mediaType, size } = descriptor;
    const content = (await this.#packed(options)).contents.get(digest);
    if (content !== undefined) return new BlobReader(await reopen(content), content.path, descriptor, options);
    if (digest === digestBytes(emptyConfig))
      return new BytesReader({ digest, mediaType, size }, emptyConfig.slice(options.start ?? 0));
    throw this.#absent(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#packing?.catch(() => {});
    await this.#temporary?.[Symbol.asyncDispose]();
  }

  #packed(options: Cancellable): Promise<Packed> {
    if (this.#isClosed) throw new MoteError("MOTE_CLOSED", "the source was closed");
    const packing = this.#packing ?? this.#pack(options);
    this.#packing = packing;
    packing.catch(() => {
      if (this.#packing === packing) this.#packing = undefined;
    });
    return packing;
  }

  async #pack(options: Cancellable): Promise<Packed> {
    const contents = new Map<Digest, Content>();
    const layers: Descriptor[] = [];
    for (const file of this.#files) {
      const stats = await attemptRead(stat(file.path), file.path);
      const { descriptor, content } = stats.isDirectory()
        ? await this.#packFolder(file, options)
        : await describeFile(file, options);
      contents.set(descriptor.digest, content);
      layers.push(descriptor);
    }
    const manifest = manifestOf(layers, this.#options);
    const digest = digestBytes(manifest);
    return { manifest, contents, descriptor: { mediaType: mediaTypes.ociManifest, digest, size: manifest.byteLength } };
  }

  async #packFolder({ path, title, mediaType }: NamedInput, options: Cancellable) {
    const target = join(this.#temporaryFolder(), `${crypto.randomUUID()}.tar.gz`);
    const { digest, size, contentDigest } = await packFolder(path, title, target, options);
    const annotations = {
      [contentDigestAnnotation]: contentDigest,
      [unpackAnnotation]: "true",
      [titleAnnotation]: title,
    };
    const { handle } = await openFile(target);
    const identity = await identityOf(handle);
    await handle.close();
    const descriptor = { mediaType: mediaType ?? mediaTypes.ociLayerGzip, digest, size, annotations };
    return { descriptor, content: { path: target, identity } };
  }

  #temporaryFolder(): string {
    this.#temporary ??= new TemporaryFolder(this.#options.temporaryDir ?? tmpdir());
    return this.#temporary.path;
  }

  #absent(digest: Digest): MoteError {
    return new MoteError("MOTE_NOT_FOUND", `${digest} does not belong to this artifact`, { details: { digest } });
  }
}

function titleOf(path: string): string {
  const below = relative(".", resolve(path));
  const isBelow = below !== ".." && !below.startsWith(`..${sep}`) && resolve(below) === resolve(path);
  return isBelow ? below.split(sep).join("/") || "." : basename(resolve(path));
}

async function describeFile({ path, title, mediaType }: NamedInput, options: Cancellable) {
  const file = await openFile(path);
  try {
    const identity = await identityOf(file.handle);
    const descriptor: Descriptor = {
      mediaType: mediaType ?? mediaTypes.octetStream,
      digest: await hashFile(file, path, options),
      size: file.size,
      annotations: { [titleAnnotation]: title },
    };
    return { descriptor, content: { path, identity } };
  } finally {
    await file.handle.close();
  }
}

async function reopen({ path, identity }: Content): Promise<OpenedFile<FileHandle>> {
  const file = await openFile(path);
  if ((await identityOf(file.handle)) === identity) return file;
  await file.handle.close();
  throw new MoteError("MOTE_IO", `${path} changed after it was hashed; try again when no process writes to it`, {
    details: { path },
  });
}

/** Reproducible: keys in a fixed order, no time or location. @throws MOTE_TOO_LARGE */
function manifestOf(layers: readonly Descriptor[], { artifactType, annotations = {} }: FilesSourceOptions): Uint8Array {
  const config = {
    mediaType: mediaTypes.ociEmpty,
    digest: digestBytes(emptyConfig),
    size: emptyConfig.byteLength,
    data: "e30=",
  };
  const sorted = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: artifactType ?? unknownArtifactType,
    config,
    layers,
    ...(sorted.length === 0 ? {} : { annotations: Object.fromEntries(sorted) }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  if (bytes.byteLength <= maxManifestBytes) return bytes;
  throw new MoteError(
    "MOTE_TOO_LARGE",
    `a manifest of ${layers.length} files has ${bytes.byteLength} bytes; the limit is ${maxManifestBytes} bytes: push their folder instead`,
  );
}
