import { z } from "zod";
import { bytes, count, digest, listOf, time } from "./parts.js";

const texts = z.array(z.string());
const annotations = z.record(z.string(), z.string()).optional();
const base = z.strictObject({ name: z.string().optional(), digest: z.string().optional() }).optional();
const entry = { digest, mediaType: z.string(), size: bytes, annotations };
const uncompressedBytes = bytes.optional().describe("bytes without compression, if known without reading the layer");

const inspectedConfig = z.strictObject({
  digest,
  created: z.string().optional(),
  author: z.string().optional(),
  user: z.string().optional(),
  entrypoint: texts.optional(),
  cmd: texts.optional(),
  env: texts.optional(),
  workingDir: z.string().optional(),
  exposedPorts: texts.optional(),
  volumes: texts.optional(),
  stopSignal: z.string().optional(),
  labels: annotations,
  history: listOf({
    created: z.string().optional(),
    createdBy: z.string().optional(),
    author: z.string().optional(),
    comment: z.string().optional(),
    isEmpty: z.boolean().describe("whether it made no layer"),
  }),
});

/** The document of `mote inspect`. */
export const inspection = z.strictObject({
  reference: z.string(),
  digest,
  mediaType: z.string(),
  size: bytes.describe("bytes of the manifest"),
  kind: z.enum(["image", "index", "artifact"]),
  artifactType: z.string().optional(),
  annotations,
  base: base.describe("the base image, from the annotations"),
  subject: digest.optional().describe("what a referrer refers to"),
  images: listOf({
    ...entry,
    platform: z.string().optional(),
    base,
    compressedBytes: bytes.optional().describe("bytes of the layers as stored, each counted once"),
    uncompressedBytes,
    layers: listOf({ ...entry, uncompressedBytes, createdBy: z.string().optional() })
      .optional()
      .describe("absent if the manifest was not read"),
    config: inspectedConfig.optional(),
  }).describe("the images of an index, or the only image"),
  others: listOf(entry).describe("other entries of an index, such as attestations"),
  referrers: listOf({ ...entry, artifactType: z.string().optional() })
    .optional()
    .describe("absent if they could not be listed"),
  signatures: listOf({ digest: digest.optional(), artifactType: z.string().optional(), tag: z.string().optional() })
    .optional()
    .describe("referrers and tags that are signatures, which were not verified"),
  warnings: texts,
});

/** A file of an image, as `mote get --list` prints it. */
export const imageFile = z.strictObject({
  path: z.string(),
  type: z.enum(["file", "folder", "link", "hard-link", "other"]),
  size: bytes,
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  modifiedMs: time,
  target: z.string().optional(),
});

/** What was written from an image into a directory. */
export const placedFiles = {
  files: count,
  folders: count,
  links: count,
  bytes,
  skipped: listOf({ path: z.string(), reason: z.string() }).describe(
    "devices, and links that would lead out of the directory",
  ),
};

export const unpacked = z.strictObject({ dir: z.string(), digest: digest.describe("of the image"), ...placedFiles });

/** The files of a model, as `mote pull --into` placed them. */
export const placed = z.strictObject({
  tool: z.string(),
  name: z.string().describe("what the tool calls the model"),
  dir: z.string(),
  files: listOf({
    path: z.string().describe("below `dir`"),
    size: bytes.optional().describe("absent for a directory with the content of archives"),
    isHardLink: z.boolean().optional().describe("otherwise a clone or a copy"),
  }),
});

const compared = z.strictObject({
  reference: z.string(),
  digest,
  platform: z.string().optional(),
  bytes: bytes.describe("of all its layers"),
  unsharedBytes: bytes.describe("of the layers that the other does not have"),
});

/** The document of `mote diff`. */
export const imageDiff = z.strictObject({
  images: z.tuple([compared, compared]),
  layers: listOf({
    digest,
    size: bytes,
    mediaType: z.string(),
    createdBy: z.string().optional(),
    in: z.enum(["both", "first", "second"]),
  }),
  sharedBytes: bytes.describe("of the layers that both have"),
  config: listOf({ field: z.string(), first: z.string().optional(), second: z.string().optional() }).describe(
    "the fields that differ",
  ),
});
