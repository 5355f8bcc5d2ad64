import { type Digest, isDigest } from "./digest.js";
import { isRecord, parseJsonRecord } from "./json-document.js";

/**
 * Returns the digests of an image's uncompressed layers from its config (image-spec, config.md, `rootfs.diff_ids`), with undefined for each that is
 * not valid; undefined if the config has none.
 */
export function readDiffIds(config: Uint8Array): readonly (Digest | undefined)[] | undefined {
  const rootfs = parseJsonRecord(config, { invalidUtf8: "replace" })?.rootfs;
  const listed: unknown = isRecord(rootfs) ? rootfs.diff_ids : undefined;
  if (!Array.isArray(listed)) return undefined;
  return listed.map((digest: unknown) => (isDigest(digest) ? digest : undefined));
}
