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

export const descriptor = z.looseObject({ mediaType: z.string(), digest, size: bytes });

/** A reference, part by part. */
const ref = z.union([
  z.strictObject({
    transport: z.string(),
    registry: z.string(),
    repository: z.string(),
    tag: z.string().optional(),
    digest: digest.optional(),
    scheme: z.string().optional(),
  }),
  z.strictObject({
    transport: z.string(),
    path: z.string(),
    tag: z.string().optional(),
    digest: digest.optional(),
    index: z.number().int().optional(),
  }),
]);

const tally = z.strictObject({ count, bytes });

/** Shared by pull, copy and push. */
export const transferReport = {
  refs: z
    .array(
      z.strictObject({
        ref: z.union([ref, z.string()]),
        resolved: descriptor.describe("what the reference stands for; the cache knows it as that"),
        descriptor: descriptor.describe("what was moved: of an index and a platform, the manifest of the platform"),
        platform: z.looseObject({ os: z.string(), architecture: z.string() }).optional(),
        missing: z
          .array(descriptor)
          .optional()
          .describe("what its index lists and the source does not have, with its platform: the rest was moved"),
        tag: z.string().optional(),
        reference: z.string().describe("where it is now, in full; a command reads it back"),
      }),
    )
    .describe("what was moved, with its name at the destination"),
  fetched: tally.describe("blobs that came from the source; the bytes that really came"),
  resumed: tally.describe("blobs that an earlier transfer had begun; the bytes that did not have to come again"),
  inlined: tally.describe("blobs that came within the manifests"),
  hit: tally.describe("blobs that were read from the cache"),
  linked: tally.describe("blobs that the destination got as links out of the cache"),
  copied: tally.describe("blobs whose bytes were sent to the destination"),
  mounted: tally.describe("blobs that the destination took from another place of its own"),
  skipped: tally.describe("blobs that the destination had"),
  foreign: tally.describe("layers left where their URLs say"),
  referrers: z
    .array(z.strictObject({ descriptor, tag: z.string().optional() }))
    .describe(
      "signatures, attestations and the like that were moved; with a tag, those that belong to the image by that",
    ),
  manifests: z.strictObject({ count, bytes, fetched: count, fetchedBytes: bytes }),
  durationMs: duration,
  warnings: z.array(z.string()),
};

export const skipped = z
  .array(z.strictObject({ digest, size: bytes, reason: z.string() }))
  .describe("what should have gone and could not, with an error code, `pinned` or `leased`");
