import {
  type Cancellable,
  type Digest,
  digestBytes,
  isDigest,
  isNotFound,
  MoteError,
  maxManifestBytes,
} from "@mote/core";
import { type NamedFiles, readSmallFile } from "./named-files.js";

const maxListBytes = 32 * 1024 * 1024;

/** An image of a Docker archive: names of files in it. */
export interface SavedImage {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/** Docker's `manifest.json`. @throws MOTE_NOT_FOUND where there is no archive · MOTE_UNSUPPORTED_FORMAT where there is none · MOTE_INVALID_MANIFEST · MOTE_INVALID_ARCHIVE */
export async function readDockerList(files: NamedFiles, options: Cancellable = {}): Promise<readonly SavedImage[]> {
  const { place } = files;
  const bytes = await readSmallFile(files, "manifest.json", { ...options, maxBytes: maxListBytes }).catch(
    async (cause: unknown) => {
      if (!isNotFound(cause)) throw cause;
      await files.assertThere();
      throw new MoteError("MOTE_UNSUPPORTED_FORMAT", `${place} is no archive of docker save: it has no manifest.json`, {
        cause,
        details: { path: place },
      });
    },
  );
  const list = parseJson(bytes, place, "manifest.json");
  if (!Array.isArray(list)) throw invalid(place, "manifest.json is no list");
  return list.map((one: unknown) => {
    if (!isRecord(one) || typeof one.Config !== "string")
      throw invalid(place, "an image in manifest.json has no Config");
    return { config: one.Config, tags: texts(one.RepoTags, place), layers: texts(one.Layers, place) };
  });
}

/** The digests of an image's layers, uncompressed, by its configuration (image-spec, config.md, `rootfs.diff_ids`). */
export function readLayerDigests(config: Uint8Array, { layers }: SavedImage, place: string): readonly Digest[] {
  const body = parseJson(config, place, "the configuration");
  const rootfs = isRecord(body) ? body.rootfs : undefined;
  const digests = isRecord(rootfs) ? texts(rootfs.diff_ids, place).filter(isDigest) : [];
  if (digests.length === layers.length) return digests;
  throw invalid(place, `the configuration has ${digests.length} layers, and manifest.json ${layers.length}`);
}

/** With registry and tag, as references are normalised; who saved it may have written less. */
export function fullName(name: string): string {
  if (isDigest(name)) return name;
  const slash = name.indexOf("/");
  const hasHost = slash > 0 && /[.:]|^localhost$/.test(name.slice(0, slash));
  const path = hasHost ? name : `docker.io/${slash < 0 ? `library/${name}` : name}`;
  return path.lastIndexOf(":") > path.lastIndexOf("/") ? path : `${path}:latest`;
}

/** An image's id, as Docker has it: the digest of its configuration. */
export async function imageId(files: NamedFiles, image: SavedImage, options: Cancellable): Promise<Digest> {
  return digestBytes(await readSmallFile(files, image.config, { ...options, maxBytes: maxManifestBytes }));
}

function parseJson(bytes: Uint8Array, place: string, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid(place, `${what} is no JSON`, cause);
  }
}

/** Go's encoders write null for what is empty. */
function texts(value: unknown, place: string): readonly string[] {
  const list: unknown = value ?? [];
  if (Array.isArray(list) && list.every((one) => typeof one === "string")) return list;
  throw invalid(place, "a list of texts is none");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(place: string, what: string, cause?: unknown): MoteError {
  return new MoteError("MOTE_INVALID_MANIFEST", `${place}: ${what}`, { cause, details: { path: place } });
}
