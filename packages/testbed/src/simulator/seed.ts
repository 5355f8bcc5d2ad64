import type { Repositories } from "./repositories.js";

export interface SeededContent {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const imageType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";

/** Stores an image in a repository, as a push would. `layers` are their sizes in bytes. */
export function addImage(
  repositories: Repositories,
  repository: string,
  options: {
    readonly tag?: string;
    readonly layers?: readonly number[];
    readonly architecture?: string;
    /** Additional fields of the manifest. */
    readonly fields?: Readonly<Record<string, unknown>>;
  } = {},
): { readonly manifest: SeededContent; readonly layers: readonly SeededContent[] } {
  const { tag, layers: sizes = [1000], architecture = "amd64", fields } = options;
  const blob = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: repositories.addBlob(repository, bytes),
    size: bytes.byteLength,
  });
  const config = blob("application/vnd.oci.image.config.v1+json", json({ os: "linux", architecture }));
  const layers = sizes.map((size, at) =>
    blob("application/vnd.oci.image.layer.v1.tar", layerBytes(size, `${architecture} ${at}`)),
  );
  const bytes = json({ schemaVersion: 2, mediaType: imageType, config, layers, ...fields });
  const { digest } = repositories.addManifest(repository, bytes, imageType, tag);
  return { manifest: { mediaType: imageType, digest, size: bytes.byteLength }, layers };
}

/** Stores an index of images. */
export function addIndex(
  repositories: Repositories,
  repository: string,
  { tag, manifests }: { readonly tag?: string; readonly manifests: readonly object[] },
): SeededContent {
  const bytes = json({ schemaVersion: 2, mediaType: indexType, manifests });
  const { digest } = repositories.addManifest(repository, bytes, indexType, tag);
  return { mediaType: indexType, digest, size: bytes.byteLength };
}

// Bytes depend on the name and the position, so that misplaced bytes are noticed.
function layerBytes(size: number, name: string): Uint8Array {
  const lines = Array.from({ length: Math.ceil(size / 16) }, (_, at) => `${at} ${name}`.padEnd(15).slice(0, 15));
  return Buffer.from(`${lines.join("\n")}\n`).subarray(0, size);
}

function json(body: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(body));
}
