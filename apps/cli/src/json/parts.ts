import { z } from "zod";

export const digest = z
  .string()
  .regex(/^sha(256|384|512):[0-9a-f]+$/)
  .describe("a digest");
export const bytes = z.number().int().min(0).describe("bytes");
export const count = z.number().int().min(0);
export const time = z.number().describe("Unix milliseconds");
export const duration = z.number().min(0).describe("milliseconds");
export const kind = z.enum(["image", "index", "artifact", "config", "layer", "blob"]);

/** An array of objects with these fields. */
export function listOf<Fields extends z.ZodRawShape>(fields: Fields) {
  return z.array(z.strictObject(fields));
}

export const descriptor = z.looseObject({ mediaType: z.string(), digest, size: bytes });

export const registryRef = z.strictObject({
  transport: z.string(),
  registry: z.string(),
  repository: z.string(),
  tag: z.string().optional(),
  digest: digest.optional(),
  scheme: z.string().optional(),
});

export const pathRef = z.strictObject({
  transport: z.string(),
  path: z.string(),
  tag: z.string().optional(),
  digest: digest.optional(),
  index: z.number().int().optional(),
});

const tally = z.strictObject({ count, bytes });

/** Shared by pull, copy and push. */
export const transferReport = {
  refs: listOf({
    ref: z.union([z.union([registryRef, pathRef]), z.string()]),
    resolved: descriptor.describe("what the reference resolves to; the cache stores it by this descriptor"),
    descriptor: descriptor.describe("what was transferred: the manifest of the platform if one was chosen"),
    platform: z.looseObject({ os: z.string(), architecture: z.string() }).optional(),
    missing: z
      .array(descriptor)
      .optional()
      .describe("manifests of the index that the source does not have; the others were transferred"),
    tag: z.string().optional(),
    reference: z.string().describe("the complete reference of the result, which any command accepts"),
  }).describe("transferred references, with their names at the destination"),
  fetched: tally.describe("blobs fetched from the source; bytes that were received"),
  resumed: tally.describe("blobs resumed from an earlier transfer; bytes that were not fetched again"),
  inlined: tally.describe("blobs embedded in manifests"),
  hit: tally.describe("blobs read from the cache"),
  tier: tally.describe("blobs fetched from the tier behind the cache"),
  rebuilt: tally.describe("layers made from content of the cache, some with a delta; bytes that were not fetched"),
  linked: tally.describe("blobs linked from the cache to the destination"),
  copied: tally.describe("blobs sent to the destination"),
  mounted: tally.describe("blobs mounted from another repository of the destination"),
  skipped: tally.describe("blobs that the destination already had"),
  foreign: tally.describe("foreign layers, which were not transferred"),
  referrers: listOf({ descriptor, tag: z.string().optional() }).describe(
    "transferred referrers, such as signatures; with a tag if that tag links them to the image",
  ),
  manifests: z.strictObject({ count, bytes, fetched: count, fetchedBytes: bytes }),
  durationMs: duration,
  warnings: z.array(z.string()),
};

export const skipped = listOf({ digest, size: bytes, reason: z.string() }).describe(
  "motes that were not removed, with the reason: an error code, `pinned` or `leased`",
);
