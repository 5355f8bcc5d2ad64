import type { Cancellable, Descriptor, Digest } from "@mote/core";

export interface InspectOptions extends Cancellable {
  /** Of an index, only the image that best matches this platform, with its config. Default: all images, as far as they are here. */
  readonly platform?: string | undefined;
  /** Read the manifests and configs of all platforms, in two requests each. Default false. */
  readonly allPlatforms?: boolean | undefined;
}

/** What a reference is, wherever it is. Sizes in bytes. Text is as found: escape it before you print it. */
export interface Inspection {
  /** The complete reference. */
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the manifest. */
  readonly size: number;
  readonly kind: "image" | "index" | "artifact";
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly base?: BaseImage | undefined;
  /** What a referrer refers to. */
  readonly subject?: Digest | undefined;
  /** The images of an index, or the only image. */
  readonly images: readonly InspectedImage[];
  /** Other entries of an index, such as attestations. */
  readonly others: readonly InspectedEntry[];
  /** Undefined if they could not be listed, which is in the warnings. */
  readonly referrers?: readonly InspectedReferrer[] | undefined;
  /** Referrers and tags that are signatures; undefined if unknown. */
  readonly signatures?: readonly InspectedSignature[] | undefined;
  readonly warnings: readonly string[];
}

/** The image on which an image is built (image-spec, annotations.md, `org.opencontainers.image.base`). */
export interface BaseImage {
  readonly name?: string | undefined;
  readonly digest?: string | undefined;
}

export interface InspectedEntry {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface InspectedImage extends InspectedEntry {
  /** As `OS[(VERSION)]/ARCHITECTURE[/VARIANT]`. */
  readonly platform?: string | undefined;
  readonly base?: BaseImage | undefined;
  /** Of the layers as stored, each counted once. Undefined if the manifest was not read. */
  readonly compressedBytes?: number | undefined;
  /** Of the layers without compression. Undefined unless all are known. */
  readonly uncompressedBytes?: number | undefined;
  readonly layers?: readonly InspectedLayer[] | undefined;
  /** Undefined if it was not read, or for an artifact. */
  readonly config?: InspectedConfig | undefined;
}

export interface InspectedLayer extends InspectedEntry {
  /** Without compression, if known. */
  readonly uncompressedBytes?: number | undefined;
  /** The command that created it, from the history. */
  readonly createdBy?: string | undefined;
}

/** The parts of an image config that describe how it is run (image-spec, config.md). */
export interface InspectedConfig {
  readonly digest: Digest;
  readonly created?: string | undefined;
  readonly author?: string | undefined;
  readonly user?: string | undefined;
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly exposedPorts?: readonly string[] | undefined;
  readonly volumes?: readonly string[] | undefined;
  readonly stopSignal?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly history: readonly HistoryEntry[];
}

export interface HistoryEntry {
  readonly created?: string | undefined;
  readonly createdBy?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  /** Whether it created no layer. */
  readonly isEmpty: boolean;
}

export interface InspectedReferrer extends InspectedEntry {
  readonly artifactType?: string | undefined;
}

export interface InspectedSignature {
  /** A referrer. */
  readonly digest?: Digest | undefined;
  readonly artifactType?: string | undefined;
  /** A tag, as cosign sets it. */
  readonly tag?: string | undefined;
}

/** `config` is the config of an image; of an index, choose one by its platform, unless it lists only one. */
export type DocumentKind = "manifest" | "config";

export interface ReferenceDocument {
  /** What the reference resolves to: with a platform, the image for it. */
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly warnings: readonly string[];
}
