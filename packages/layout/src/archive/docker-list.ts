import {
  type Cancellable,
  type Digest,
  digestBytes,
  isNotFound,
  isRecord,
  MoteError,
  maxManifestBytes,
  parseJsonDocument,
  readDiffIds,
} from "@mote/core";
import { hasFile, type NamedFiles, readSmallFile } from "../disk/named-files.js";
import { cleanName } from "../tar/entry-name.js";

const maxListBytes = 32 * 1024 * 1024;

/** An image of a Docker archive: names of its files. */
export interface SavedImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/**
 * Reads `manifest.json`.
 * @throws MOTE_NOT_FOUND without an archive · MOTE_UNSUPPORTED_FORMAT without that file · MOTE_INVALID_MANIFEST · MOTE_INVALID_ARCHIVE
 */
export async function readDockerList(files: NamedFiles, options: Cancellable = {}): Promise<readonly SavedImage[]> {
  const { location } = files;
  const bytes = await readSmallFile(files, "manifest.json", { ...options, maxBytes: maxListBytes }).catch(
    async (cause: unknown) => {
      if (!isNotFound(cause)) throw cause;
      await files.assertThere();
      const what = `${location} is not an archive of docker save: it has no manifest.json`;
      throw new MoteError("MOTE_UNSUPPORTED_FORMAT", `${what}; ${await adviceFor(files, options)}`, {
        cause,
        details: { path: location },
      });
    },
  );
  const list = parseJson(bytes, location, "manifest.json");
  if (!Array.isArray(list)) throw invalid(location, "manifest.json is not a list");
  return list.map((one: unknown) => {
    if (!isRecord(one) || typeof one.Config !== "string")
      throw invalid(location, "an image in manifest.json has no Config");
    const tags = Array.isArray(one.RepoTags) ? one.RepoTags.filter((tag) => typeof tag === "string") : [];
    return { config: cleanName(one.Config, location), tags, layers: texts(one.Layers, location) };
  });
}

/** Returns advice on its possible format. */
async function adviceFor(files: NamedFiles, options: Cancellable): Promise<string> {
  if (await hasFile(files, "index.json", options)) return "read it as oci-archive:";
  if (!(await hasFile(files, "repositories", options))) return "check the path";
  return "it was saved by a Docker before 1.10: load it there, and save it again with a current version";
}

/**
 * Returns the digests of an image's uncompressed layers from its configuration (image-spec, config.md, `rootfs.diff_ids`); undefined if
 * it has none. @throws MOTE_INVALID_MANIFEST if the number of layers differs
 */
export function readLayerDigests(
  config: Uint8Array,
  { layers }: SavedImage,
  location: string,
): readonly (Digest | undefined)[] | undefined {
  const listed = readDiffIds(config);
  if (listed !== undefined && listed.length !== layers.length)
    throw invalid(location, `the configuration has ${listed.length} layers, and manifest.json ${layers.length}`);
  return listed;
}

/** Returns an image's id as in Docker: its configuration's digest. */
export async function imageId(files: NamedFiles, image: SavedImage, options: Cancellable): Promise<Digest> {
  return digestBytes(await readSmallFile(files, image.config, { ...options, maxBytes: maxManifestBytes }));
}

function parseJson(bytes: Uint8Array, location: string, what: string): unknown {
  try {
    return parseJsonDocument(bytes, { invalidUtf8: "replace" });
  } catch (cause) {
    throw invalid(location, `${what} is not valid JSON`, cause);
  }
}

/** Go's encoders write null for empty values. */
function texts(value: unknown, location: string): readonly string[] {
  const list: unknown = value ?? [];
  if (Array.isArray(list) && list.every((one) => typeof one === "string"))
    return list.map((name) => cleanName(name, location));
  throw invalid(location, "the Layers of an image in manifest.json are not a list of names");
}

function invalid(location: string, what: string, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_MANIFEST", `${location}: ${what}`, { cause, details: { path: location } });
}
