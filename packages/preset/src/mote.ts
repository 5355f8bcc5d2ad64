import type {
  BlobInfoCache,
  Cancellable,
  ContentDestination,
  ContentSource,
  Digest,
  FetchLeases,
  KnownLocations,
  LayerLocator,
  Logger,
  MoteCache,
  MoteInfo,
  TagStore,
} from "@mote/core";
import type { Durability } from "@mote/fs";
import type { ArtifactFileInfo, FileInput, UnpackOptions } from "@mote/layout";
import type { RegistryServer, ServeOptions } from "@mote/server";
import type { TierWrite } from "@mote/tiered";
import type { TransferEvent, TransferOptions } from "@mote/transfer";
import type { DeltaOptions, DeltaReport } from "./deltas/types.js";
import type { RegistriesOptions } from "./endpoints/registries-options.js";
import type { MoteTransport } from "./endpoints/transports.js";
import type { Image } from "./images/image.js";
import type { ImageFiles, ImageFilesOptions } from "./images/image-files.js";
import type { UnpackedImage, UnpackImageOptions } from "./images/unpacked-image.js";
import type { DiffOptions, ImageDiff } from "./inspection/image-diff.js";
import type { DocumentKind, Inspection, InspectOptions, ReferenceDocument } from "./inspection/inspection.js";
import type { ListTagsOptions, TagList } from "./inspection/tag-list.js";
import type { DeltaMode } from "./rebuild/layer-rebuilder.js";
import type { FoundMote } from "./references/find-by-name.js";
import type { SyncOptions, SyncReport, SyncSource } from "./sync/types.js";
import type { Tier } from "./tiers/open-tier.js";
import type { MoveReport } from "./transfers/move-report.js";
import type { PlacedModel } from "./transfers/placed-model.js";

export interface EndpointOptions {
  /** Use plain HTTP for all registries, or these (`host`, `host:port`). Loopback registries always use plain HTTP. */
  readonly plainHttp?: boolean | readonly string[] | undefined;
  /** Certificates, mirrors and time limits. @throws MOTE_CONFIG on the first use of a registry */
  readonly registries?: RegistriesOptions | undefined;
  /** Never contact a registry: resolve names in the cache, and fail if content is missing. Default false. */
  readonly offline?: boolean | undefined;
  /** Limits on extracting the archives of an artifact, a compressed archive, or the layers of an image. */
  readonly unpack?: UnpackOptions | undefined;
  /** Additional transports. */
  readonly transports?: readonly MoteTransport[] | undefined;
  /** Silent by default. */
  readonly logger?: Logger | undefined;
}

export interface OpenMoteOptions extends EndpointOptions, Cancellable {
  /** The cache folder, created if it is missing. Undefined without `cache`: no folder, as for a user without a home folder. */
  readonly dir?: string | undefined;
  /**
   * A cache to use instead of a folder. `openMote` initializes it, and `close` leaves it open. Its optional methods are not required:
   * without `tags` images have no names, without leases another process may prune content in use, and without `motes` images are
   * found only by full digest or name, and `repair` rejects with a TypeError. A string is the URL of a bucket, `s3://BUCKET[/PREFIX]`, which
   * `close` closes.
   */
  readonly cache?: MoteCache | string | undefined;
  /** The names of manifests. Default: those of the cache. */
  readonly tags?: TagStore | undefined;
  /**
   * The blob-info cache, which `close` leaves open, or the URL of a Redis. Default: a database in `dir`; in memory with `cache`.
   */
  readonly bic?: BlobInfoCache | string | undefined;
  /**
   * A tier behind the cache, from which missing content is fetched, or its URL: `s3://BUCKET[/PREFIX]`, `docker://HOST/REPOSITORY`, or a folder.
   * `close` waits until missing content is written to it, or warns. It is not used with `readOnly`.
   */
  readonly tier?: Tier | string | undefined;
  /** How content is written to the tier. Default `back`; `none` for a tier that cannot be written to. */
  readonly tierWrite?: TierWrite | undefined;
  /** Continue without a cache if `dir` cannot be written or is undefined. Default false: MOTE_UNWRITABLE, or MOTE_CONFIG. */
  readonly cacheOptional?: boolean | undefined;
  /** Change nothing: create no files and clean up no orphans. A cache folder that does not exist counts as empty. Default false. */
  readonly readOnly?: boolean | undefined;
  /**
   * What is synced before a blob becomes visible. `grouped` (the default): its data. `visible`: nothing; faster, but a power failure
   * can damage blobs, which reads detect. `synced`: its data and its directory entry. Applies to `dir` only.
   */
  readonly durability?: Durability | undefined;
  /**
   * The maximum size of the cache in bytes. After a transfer that fetched something, the least recently used content is pruned in the
   * background, but never what was just moved. `close` waits for it. Errors are logged as warnings. Default: unlimited.
   */
  readonly maxSize?: number | undefined;
}

export interface MoveOptions extends Cancellable {
  /** Concurrent blob transfers. Default 6, plus 10 for blobs of up to 256 KiB. */
  readonly concurrency?: number | undefined;
  /**
   * The maximum number of connections for one blob of 1 GiB or more. One is added only while the total rate grows clearly. Default 6, at
   * most 16.
   */
  readonly connectionsPerBlob?: number | undefined;
  /**
   * The limit in bytes per second on what is read, and on what is sent to registries, shared fairly by the blobs of the transfer; or such limits
   * by registry. Default: no limit.
   */
  readonly maxRate?: number | Readonly<Record<string, number>> | undefined;
  readonly onEvent?: ((event: TransferEvent) => void) | undefined;
  /**
   * In a plain folder: replace existing files that differ. In an archive: replace a different image with the same name, and a file
   * that is not such an archive. Default: MOTE_EXISTS.
   */
  readonly overwrite?: boolean | undefined;
}

export interface PullOptions extends MoveOptions {
  /**
   * Only these platforms, in containerd's notation: `os[(version)]/architecture[/variant]`. The name in the cache still refers to the
   * whole index. With several, a local destination gets the original index, then incomplete, and a registry a new index of these
   * platforms; a plain folder accepts only one. Default: all platforms.
   */
  readonly platform?: string | readonly string[] | undefined;
  /** Also move the referrers of the image: signatures, attestations. Default false. */
  readonly referrers?: boolean | undefined;
  /** Tags at the destination, or names in the cache. Default: the tag of the destination; in the cache, the name of the source. */
  readonly tags?: readonly string[] | undefined;
  /**
   * Whether layers are rebuilt instead of fetched, from content that the cache has in another compression, or from an older image and a delta
   * among the referrers of the new one: `auto`, only if the network is slower; `always`, whenever possible; `never`. Default `auto`. Applies to
   * images of registries, not on loopback with `auto`, and to a cache in a folder, without a tier. A delta that is not valid is a warning.
   */
  readonly delta?: DeltaMode | undefined;
  /** Use the cached image without contacting the registry, if it is complete. Default false. */
  readonly preferCached?: boolean | undefined;
  /** Into a plain folder: only the files that this returns true for. Default: all. The image gets no name in the cache then. */
  readonly only?: ((file: ArtifactFileInfo) => boolean) | undefined;
  /** A policy, called before any blob is moved or name is set. Throwing aborts the pull. */
  readonly verify?: TransferOptions["verify"];
  /** In a plain folder: create read-only hard links to the files of the cache where reflinks are not possible. Default: copies. */
  readonly link?: boolean | undefined;
}

/** Options of placing a model; `only` is rejected for tools that need all of its files. */
export type PlaceModelOptions = Omit<PullOptions, "link" | "referrers" | "tags">;

export interface PushFilesOptions extends MoveOptions {
  /** Default: `application/vnd.unknown.artifact.v1`. */
  readonly artifactType?: string | undefined;
  /** Annotations of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface RepairOptions extends Omit<MoveOptions, "overwrite"> {
  /** Damaged content, usually already in quarantine. */
  readonly damaged?: Iterable<Digest> | undefined;
  /** Stored content that cannot be read. */
  readonly unreadable?: Iterable<Digest> | undefined;
  /** Called for each blob or image that could not be fetched. */
  readonly onFailure?: ((failure: { readonly digest: Digest; readonly reason: string }) => void) | undefined;
}

export interface ImageOptions extends Cancellable {
  /** The image of an index to open, as in `PullOptions`. Default: the only one that is stored. */
  readonly platform?: string | undefined;
}

/** The upstream registries of a mirror. */
export interface MirrorSettings {
  /** Each as `NAME` or `NAME=URL`; the name is that in references. */
  readonly upstreams: readonly string[];
  /** The upstream of requests that name none, or `none`. Default: the only one. */
  readonly defaultUpstream?: string | undefined;
  /** Milliseconds for which a tag is fresh: it is served without a request to its upstream. Default 60,000. */
  readonly freshMs?: number | undefined;
  /** Never contact an upstream. Default false. */
  readonly offline?: boolean | undefined;
  /**
   * The limit in bytes per second on what is read from all upstreams, shared fairly by blobs; or such limits by the name or the host of an
   * upstream. Default: no limit.
   */
  readonly maxRate?: number | Readonly<Record<string, number>> | undefined;
  /** The maximum number of connections for one blob, as in `MoveOptions`. */
  readonly connectionsPerBlob?: number | undefined;
}

export interface ServeMoteOptions extends Omit<ServeOptions, "source" | "tags" | "pullThrough" | "push" | "fleet"> {
  /** Default: only what is stored is served. */
  readonly mirror?: MirrorSettings | undefined;
  /** Accept pushes to, and deletions from, repositories without a registry. Default false. */
  readonly push?: boolean | undefined;
  /**
   * The URL at which the other mirrors of a fleet reach this one. Mirrors with the same Redis (`bic`) or bucket (`tier`) then fetch each
   * manifest and blob once in total. Default: this one fetches alone.
   */
  readonly advertise?: string | undefined;
  /** The secret that the fleet shares: 32 or more printable ASCII characters. Default: the first member creates it and stores it with the leases. */
  readonly fleetSecret?: string | undefined;
  /** Decides which member of the fleet fetches a blob. `close` leaves it open. Default: leases in `bic` or `tier`. */
  readonly fetchLeases?: FetchLeases | undefined;
}

/** An open cache, and the operations on it. */
export interface OpenMote extends AsyncDisposable {
  /** The cache folder. Empty if there is none. */
  readonly dir: string;
  readonly cache: MoteCache;
  /** The names of manifests in the cache: references as pulled, without `docker://`. */
  readonly tags: TagStore;
  readonly bic: BlobInfoCache;
  readonly locator: LayerLocator;
  /**
   * Moves an image from `source` through the cache to `destination`, or only into the cache. For references see `@mote/ref`. A digest
   * as `source` is read from the cache or any known location; 6 digits suffice for stored content.
   * An image is added to an existing archive. `-` as the path of an archive is stdout.
   * The image is cached under the name of the source. If a registry fails (no connection, a server error, a rate limit, content that
   * fails verification), the cached image is used, with a warning. 401, 403 and 404 are errors.
   * A destination without a transport that ends in `/` or begins with `./`, `../`, `/` or `~/` is a plain folder for the files of an
   * artifact. A registry requires `docker://`: `build/app` alone is rejected.
   * @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT · MOTE_NOT_FOUND · MOTE_UNAUTHORIZED · MOTE_UNREACHABLE ·
   *   MOTE_INVALID_MANIFEST · MOTE_DIGEST_MISMATCH · MOTE_SIZE_MISMATCH · MOTE_UNWRITABLE · MOTE_NO_SPACE …
   *   into a plain folder also MOTE_NOT_FILES · MOTE_EXISTS · MOTE_INVALID_NAME · MOTE_INVALID_ARCHIVE
   */
  pull(source: string, destination?: string, options?: PullOptions): Promise<MoveReport>;
  /** Does what `pull` does with a destination, which may also be a registry without `docker://`. */
  copy(source: string, destination: string, options?: PullOptions): Promise<MoveReport>;
  /** Moves an image from the cache, a layout or an archive to `destination`, as `copy` does. */
  push(source: string, destination: string, options?: PullOptions): Promise<MoveReport>;
  /**
   * Moves plain files and folders as one artifact through the cache to `destination`. The same files produce the same digests.
   * The artifact is cached under the name of the destination. Folders are packed in the system's temporary folder.
   * @throws MOTE_NOT_FOUND · MOTE_INVALID_NAME, and as `pull`
   */
  pushFiles(files: readonly FileInput[], destination: string, options?: PushFilesOptions): Promise<MoveReport>;
  /**
   * Moves many images to `docker://HOST[/PREFIX]`, `oci:DIR` or `oci-archive:FILE`. Shared blobs are moved once, and blobs that the destination
   * already has are not sent. Below a registry, images keep their repository and tag; in a layout or an archive, their full name.
   * A failed image does not stop the others: the report says what was done with each. Names are set only when their images are complete.
   * @throws MOTE_NOT_FOUND if the source has no images · MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT, and what a destination throws
   *   that cannot be written at all
   */
  sync(source: SyncSource, destination: string, options?: SyncOptions): Promise<SyncReport>;
  /**
   * Creates the delta from one image to another, an artifact whose `subject` is the second one. `pull` of the second image uses it if the first
   * is stored. Both images are pulled into the cache first. Without a destination, the delta is stored in the cache under a name of its own.
   * For indexes, a delta is created for each platform that both have.
   * @throws MOTE_NO_PLATFORM if they have no platform in common · MOTE_INVALID_MANIFEST for what is not an image, and as `pull`
   */
  delta(from: string, to: string, destination?: string, options?: DeltaOptions): Promise<DeltaReport>;
  /** Copies a file into the cache. @throws MOTE_NOT_FOUND if there is no such file */
  addFile(path: string, options?: Cancellable): Promise<MoteInfo>;
  /** Adds a stream of any length to the cache. It is buffered in the system's temporary folder. */
  addStream(chunks: AsyncIterable<Uint8Array>, options?: Cancellable): Promise<MoteInfo>;
  /**
   * Finds a mote by a digest, at least 6 digits of a stored digest, a name, a reference of any transport, or the end of a name. A full
   * digest need not be stored. @throws MOTE_NOT_FOUND · MOTE_AMBIGUOUS · MOTE_INVALID_DIGEST
   */
  find(text: string): Promise<FoundMote>;
  /** Opens a stored image, found as by `find`, to read its config, layers and files. @throws as `find` · MOTE_NO_PLATFORM · MOTE_INVALID_MANIFEST */
  image(name: string, options?: ImageOptions): Promise<Image>;
  /**
   * Describes an image, an index or an artifact in any location, without its layers: an index in a registry takes three requests, or four if
   * its referrers are listed by a tag. A digest is looked up in the cache first. Cached content needs no request.
   * @throws as `pull`, and MOTE_NO_PLATFORM
   */
  inspect(reference: string, options?: InspectOptions): Promise<Inspection>;
  /**
   * Returns the digest to which a reference resolves, and the bytes of its manifest or config, unchanged.
   * @throws as `inspect`; MOTE_NOT_FOUND if there is no config
   */
  readDocument(reference: string, what: DocumentKind, options?: InspectOptions): Promise<ReferenceDocument>;
  /** Compares the layers and configs of two images in any locations, without reading layers. @throws as `inspect` */
  diff(first: string, second: string, options?: DiffOptions): Promise<ImageDiff>;
  /**
   * Lists the tags of a repository, or the names in a layout or an archive. With `offline`, those of the repository in the cache.
   * @throws MOTE_NOT_FOUND if there is no such repository · MOTE_INVALID_REFERENCE · MOTE_TOO_LARGE …
   */
  listTags(repository: string, options?: ListTagsOptions): Promise<TagList>;
  /**
   * Opens the files of an image in any location, to list, read, and extract them. Layers of a registry are fetched into the cache when they are
   * needed, from the top. @throws as `inspect`, and MOTE_NOT_FILES for an artifact
   */
  files(reference: string, options?: ImageFilesOptions): Promise<ImageFiles>;
  /**
   * Pulls an image into the cache, and writes its root file system into an empty folder; with `overwrite`, into any folder. Files belong to
   * the current user, without setuid, setgid and sticky bits. Devices, and links that would lead out of the folder, are skipped.
   * @throws MOTE_EXISTS · MOTE_INVALID_ARCHIVE · MOTE_TOO_LARGE, and as `pull` and `files`
   */
  unpack(source: string, dir: string, options?: UnpackImageOptions): Promise<UnpackedImage>;
  /**
   * Pulls a model, and places its files where a tool looks for them: `ollama`, `hf`, `lmstudio`. They are clones of the cached files or
   * read-only hard links where possible. Files of the tool that have other content stay, unless `overwrite` is set.
   * @throws MOTE_INVALID_NAME for an unknown tool, or a name that it cannot have · MOTE_CONFIG without a home folder · MOTE_NOT_FILES ·
   *   MOTE_EXISTS, and as `pull`
   */
  place(source: string, tool: string, options?: PlaceModelOptions): Promise<PlacedModel>;
  /** Returns references to where the blob was seen, newest first: without `docker://`, but with other transports. */
  locate(digest: Digest, options?: Cancellable): Promise<string[]>;
  /**
   * Returns what is known about a blob: locations of any kind, when it was last seen there, and its compressed or uncompressed forms.
   * With `destination`, a reference, also whether it can be mounted there. @throws MOTE_INVALID_REFERENCE
   */
  knownLocations(
    digest: Digest,
    options?: Cancellable & { readonly destination?: string | undefined },
  ): Promise<KnownLocations>;
  /**
   * Fetches the missing content of every image in the cache from the location in its name, and content in `damaged` and `unreadable` that is
   * still bad from known locations. Platforms that were never fetched do not count as missing. Returns the names of images that are
   * still incomplete.
   */
  repair(options?: RepairOptions): Promise<string[]>;
  /**
   * Serves the cache as an OCI registry. With `mirror`, content that is not cached is fetched from upstream registries on request.
   * @throws MOTE_LISTEN · MOTE_INVALID_REFERENCE for an upstream that is not valid or given twice, or a default that is none of them
   */
  serve(options?: ServeMoteOptions): Promise<RegistryServer>;
  /** Opens the location of a reference for reading. The caller disposes of it. @throws MOTE_INVALID_REFERENCE · MOTE_UNSUPPORTED_TRANSPORT */
  openSource(reference: string): Promise<ContentSource>;
  /** Opens the location of a reference for writing. The caller disposes of it. @throws as `openSource` */
  openDestination(
    reference: string,
    options?: { readonly overwrite?: boolean | undefined },
  ): Promise<ContentDestination>;
  /** Aborts background work, and closes what `openMote` opened. */
  close(): Promise<void>;
}
