/** Media types of the OCI image-spec, including the artifact manifest of 1.1-rc, and of Docker's image manifest version 2, schema 2. */
export const mediaTypes = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociArtifact: "application/vnd.oci.artifact.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  octetStream: "application/octet-stream",
} as const;

/** Returns whether the text is a valid media type without parameters (RFC 6838, 4.2). */
export function isMediaType(text: string): boolean {
  return /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/.test(text);
}

/** Returns whether it is the media type of an image or artifact manifest. */
export function isImageManifestType(mediaType: string): boolean {
  return (
    mediaType === mediaTypes.ociManifest ||
    mediaType === mediaTypes.dockerManifest ||
    mediaType === mediaTypes.ociArtifact
  );
}

/** Returns whether it is the media type of an index. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList;
}

/** Returns whether it is the media type of a manifest or index. */
export function isManifestType(mediaType: string): boolean {
  return isImageManifestType(mediaType) || isIndexType(mediaType);
}

/** Normalizes the media type of a manifest or index, ignoring case and parameters; returns undefined for other text. */
export function knownManifestType(text: string): string | undefined {
  const [bare = ""] = text.split(";", 1);
  const type = bare.trim().toLowerCase();
  return isManifestType(type) ? type : undefined;
}

/**
 * Returns whether it is the media type of a layer or config, which build caches list in an index. Other entries of an index may be manifests of
 * an unknown type.
 */
export function isContentType(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.(?:layer|config)\.|oci\.empty\.|docker\.(?:image\.rootfs|container\.image)\.|buildkit\.cacheconfig\.)/.test(
    mediaType,
  );
}

/** The media types of the `Accept` header of manifest requests. */
export const manifestTypes: readonly string[] = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.ociArtifact,
];
