import { z } from "zod";
import { bytes, count, digest, duration, listOf } from "./parts.js";

/** What was done with an image by `mote sync`. */
export const syncedImage = {
  source: z.string(),
  line: count.optional().describe("of the list"),
  destination: z.string().optional().describe("the complete reference at the destination"),
  state: z.enum(["copied", "unchanged", "planned", "failed"]).describe("planned: would be copied"),
  digest: digest.optional(),
  blobs: count.describe("blobs that were sent, or would be; the first image counts a shared blob"),
  bytes,
  mounted: count.describe("blobs that the registry mounted from another of its repositories"),
  warnings: z.array(z.string()),
  error: z.strictObject({ code: z.string(), message: z.string(), details: z.looseObject({}).optional() }).optional(),
};

export const syncReport = z.strictObject({
  destination: z.string(),
  images: listOf(syncedImage),
  removed: listOf({
    destination: z.string(),
    state: z.enum(["removed", "planned", "kept"]),
    reason: z.string().optional(),
  }),
  failed: count,
  blobs: count,
  bytes,
  unreadable: listOf({ path: z.string(), lines: count, firstLine: count.describe("from 1") })
    .optional()
    .describe("lines of exports (--without) that were ignored, because they are not valid"),
  dryRun: z.boolean(),
  durationMs: duration,
});
