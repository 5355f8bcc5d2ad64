import type {
  BlobInfoCache,
  Cancellable,
  ContentDestination,
  ContentSource,
  Digest,
  KnownLocations,
  LayerLocator,
  Logger,
  MoteCache,
  MoteInfo,
  MoteSource,
  TagStore,
} from "@mote/core";
import type { Durability } from "@mote/fs";
import type { FileInput, UnpackOptions } from "@mote/layout";
import type { RegistryServer, ServeOptions } from "@mote/server";
import type { TransferEvent, TransferOptions } from "@mote/transfer";
import type { RegistriesOptions } from "./endpoints/registries-options.js";
import type { MoteTransport } from "./endpoints/transports.js";
import type { Image } from "./images/image.js";
import type { FoundMote } from "./references/find-by-name.js";
import type { MoveReport } from "./transfers/move-report.js";

export interface EndpointOptions {
  /** Speak HTTP, not TLS, to all registries, or to these (`host`, `host:port`). On loopback addresses that is done anyway. */
  readonly plainHttp?: boolean | readonly string[] | undefined;
  /** How registries are reached: certificates, mirrors, bounds. @throws MOTE_CONFIG once a registry is wanted */
  readonly registries?: RegistriesOptions | undefined;
  /** Contact no registry: names are resolved in the cache, and missing content is an error. Default false. */
  readonly offline?: boolean | undefined;
  /** How much may come of the archives of an artifact, of a compressed archive, or of an image's layers. */
  readonly unpack?: UnpackOptions | undefined;
  /** Transports beyond those that mote knows. */
  readonly transports?: readonly MoteTransport[] | undefined;
  /** Silent by default. */
  readonly logger?: Logger | undefined;
}

export interface OpenMoteOptions extends EndpointOptions, Cancellable {
  /** The cache folder, created if it is missing. Undefined, and no `cache`: there is no folder, as for a user without a home folder. */
  readonly dir?: string | undefined;
  /**
   * A cache to use in place of a folder. It is initialized here, and stays open after `close`. What it lacks is done without: without
   * `tags` images have no names, without leases nothing is protected from a prune by others, without `motes` images are found by whole
   * digests and names alone, and `repair` rejects with a TypeError.
   */
  readonly cache?: MoteCache | undefined;
  /** Names for manifests. Default: the cache's own. */
  readonly tags?: TagStore | undefined;
  /** What is known about blobs. It stays open after `close`. Default: a database in `dir`; in memory for a `cache`. */
  readonly bic?: BlobInfoCache | undefined;
  /** A read-only fallback for missing content, which is not added to the cache. */
  readonly tier?: MoteSource | undefined;
  /** Continue without a cache if `dir` cannot be written or is undefined. Default false: MOTE_UNWRITABLE, or MOTE_CONFIG. */
  readonly cacheOptional?: boolean | undefined;
  /** Only inspect: nothing missing is created, no orphans are cleaned up. A cache that does not exist is empty. Default false. */
  readonly readOnly?: boolean | undefined;
  /**
   * What is synced to the disk before a blob gets its name. Default `grouped`: its data. `visible`: nothing, which is faster, and after a
   * power cut blobs may be damaged (which a read notices). `synced`: its name, too. Of a folder alone.
   */
  readonly durability?: Durability | undefined;
  /**
   * The cache's largest size in bytes. After a transfer that fetched something, the least recently used is removed in the background, never
   * what was just moved; `close` waits for it. Its error is a warning. Default: no bound.
   */
  readonly maxSize?: number | undefined;
}

export interface MoveOptions extends Cancellable {
  /** Blobs moved at once. Default 6, and 10 more of up to 256 KiB. */
  readonly concurrency?: number | undefined;
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
  /**
   * Into a plain folder: replace existing files with other content. Into an archive: replace an image of the same name that
   * has other content, and a file that is not such an archive. Default: MOTE_EXISTS.
   */
  readonly overwrite?: boolean | undefined;
}

export interface PullOptions extends MoveOptions {
  /**
   * Only this platform, as containerd writes it: `os[(version)]/architecture[/variant]`. The cache still knows the name as the index,
   * of which it has this platform. Of several, a local destination gets the original index, which is incomplete then, and a registry an
   * index of these; a directory for files gets one. Default: all platforms.
   */
  readonly platform?: string | readonly string[] | undefined;
  /** Also what refers to the image: signatures, attestations. Default false. */
  readonly referrers?: boolean | undefined;
  /** Names at the destination, or in the cache. Default: that of the destination; in the cache that of the source. */
  readonly tags?: readonly string[] | undefined;
  /** A policy, called before anything is moved and before any name is set. Throwing ends the pull. */
  readonly verify?: TransferOptions["verify"];
  /** Into a plain folder: read-only hard links to the cache's files, where it cannot share extents. Default: separate files. */
  readonly link?: boolean | undefined;
}

export interface PushFilesOptions extends MoveOptions {
  /** Default: `application/vnd.unknown.artifact.v1`. */
  readonly artifactType?: string | undefined;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface RepairOptions extends Omit<MoveOptions, "overwrite"> {
  /** Damaged content: usually quarantined, and missing. */
  readonly damaged?: Iterable<Digest> | undefined;
  /** Stored content that cannot be read. */
  readonly unreadable?: Iterable<Digest> | undefined;
  /** Called with the reason why something could not be fetched. */
  readonly onFailure?: ((failure: { readonly digest: Digest; readonly reason: string }) => void) | undefined;
}

export interface ImageOptions extends Cancellable {
  /** Which image of an index, as in `PullOptions`. Default: the only one that is stored. */
  readonly platform?: string | undefined;
}

/** The usual parts, put together. Every part can be replaced, and used alone. */
/** The upstream registries of a mirror. */
export interface MirrorSettings {
  /** Each as `NAME` or `NAME=URL`; the name is that in references. */
  readonly upstreams: readonly string[];
  /** The upstream of requests that name none, or `none`. Default: the only one. */
  readonly defaultUpstream?: string | undefined;
  /** Milliseconds for which a tag is reused without requesting its upstream. Default 60,000. */
  readonly freshMs?: number | undefined;
  /** Never contact an upstream. Default false. */
  readonly offline?: boolean | undefined;
}

export interface ServeMoteOptions extends Omit<ServeOptions, "source" | "tags" | "pullThrough"> {
  /** Default: only what is stored is served. */
  readonly mirror?: MirrorSettings | undefined;
}

export interface OpenMote extends AsyncDisposable {
  /** The cache folder. Empty if there is none. */
  readonly dir: string;
  readonly cache: MoteCache;
  /** Names for manifests in the cache: references as they were pulled, without `docker://`. */
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  /**
   * Moves an image from `source` through the cache to `destination`, or into the cache alone. References as in `@mote/ref`. A digest
   * as `source` means that content, from the cache or wherever it is known to be; of stored content, 6 digits suffice.
   * An archive that exists gets the image in addition to those that it has. `-` as the path of an archive is stdout.
   * The cache stores it under the source's name, and is used in place of a registry that fails: with no connection, a server error, a rate
   * limit, or content other than what was asked for. A warning says so. 401, 403 and 404 are errors.
   * A destination without transport that ends in `/`, or begins as paths do (`./`, `../`, `/`, `~/`), is a plain folder, which gets the
   * artifact's files. A registry is written as `docker://…`: `build/app` alone is refused.
   * @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_NOT_FOUND · MOTE_UNAUTHORIZED · MOTE_UNREACHABLE ·
   *   MOTE_INVALID_MANIFEST · MOTE_DIGEST_MISMATCH · MOTE_SIZE_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE …
   *   into a plain folder also MOTE_NOT_FILES · MOTE_EXISTS · MOTE_INVALID_NAME · MOTE_INVALID_ARCHIVE
   */
  pull(source: string, destination?: string, options?: PullOptions): Promise<MoveReport>;
  /** Does as `pull` with a destination, which may also be a registry without `docker://`. */
  copy(source: string, destination: string, options?: PullOptions): Promise<MoveReport>;
  /** Moves an image that is stored, or is in a layout or archive, to `destination`, as `copy`. */
  push(source: string, destination: string, options?: PullOptions): Promise<MoveReport>;
  /**
   * Moves plain files and folders as one artifact through the cache to `destination`. The same files give the same digests.
   * The cache stores it under the destination's name. Folders are packed in the system's temporary folder.
   * @throws MOTE_NOT_FOUND · MOTE_INVALID_NAME, and as `pull`
   */
  pushFiles(files: readonly FileInput[], destination: string, options?: PushFilesOptions): Promise<MoveReport>;
  /** Copies a file into the cache. @throws MOTE_NOT_FOUND if there is no such file */
  addFile(path: string, options?: Cancellable): Promise<MoteInfo>;
  /** Adds a stream of any length to the cache, by way of the system's temporary folder. */
  addStream(chunks: AsyncIterable<Uint8Array>, options?: Cancellable): Promise<MoteInfo>;
  /**
   * Finds the mote that a person means: by a digest, the first digits (at least 6) of a stored one, a name, a reference over any
   * transport, or the end of a name. A full digest need not be stored. @throws MOTE_NOT_FOUND · MOTE_AMBIGUOUS · MOTE_INVALID_DIGEST
   */
  find(text: string): Promise<FoundMote>;
  /** Opens a stored image, found as by `find`, to read its config, layers and files. @throws as `find` · MOTE_NO_PLATFORM · MOTE_INVALID_MANIFEST */
  image(name: string, options?: ImageOptions): Promise<Image>;
  /** Returns references where the blob has been seen, newest first: without `docker://`, with other transports. */
  locate(digest: Digest, options?: Cancellable): Promise<string[]>;
  /**
   * Returns all that is known of a blob: locations of any kind with the time they were last seen, and its other forms. With `destination`,
   * a reference, also whether a mount would work there. @throws MOTE_INVALID_REFERENCE
   */
  knownLocations(
    digest: Digest,
    options?: Cancellable & { readonly destination?: string | undefined },
  ): Promise<KnownLocations>;
  /**
   * Fetches what is missing of every image in the cache from where its name says, over any transport, and what of `damaged` and
   * `unreadable` is not right from where it was seen. Platforms that were never fetched are not missing. Returns the names of images that
   * are still incomplete.
   */
  repair(options?: RepairOptions): Promise<string[]>;
  /**
   * Serves the cache as an OCI registry, and with `mirror` the content of upstream registries, which is fetched into the cache when it is
   * requested. @throws MOTE_LISTEN · MOTE_INVALID_REFERENCE for an upstream that is not valid
   */
  serve(options?: ServeMoteOptions): Promise<RegistryServer>;
  /** Opens what a reference names, to read from. The caller disposes of it. @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT */
  openSource(reference: string): Promise<ContentSource>;
  /** Opens what a reference names, to write to. The caller disposes of it. @throws as `openSource` */
  openDestination(
    reference: string,
    options?: { readonly overwrite?: boolean | undefined },
  ): Promise<ContentDestination>;
  /** Aborts background work, and closes what `openMote` opened. */
  close(): Promise<void>;
}
