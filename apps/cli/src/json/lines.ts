import { z } from "zod";
import { bytes, count, digest, duration } from "./parts.js";
import { syncedImage } from "./sync.js";

/** One line on stderr if a command fails under `--json`. */
export const failureDocument = z.strictObject({
  error: z.strictObject({
    code: z.string().regex(/^MOTE_[A-Z_]+$/),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

const ofBlob = { digest, size: bytes };
const image = z.string().optional().describe("of mote sync: the source of the image");

/** One line on stdout under `--json=events`. */
export const eventLine = z.union([
  z.strictObject({
    event: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("plan"), manifests: count, blobs: count, bytes, image }),
      z.strictObject({ type: z.literal("start"), ...ofBlob, mediaType: z.string(), image }),
      z.strictObject({ type: z.literal("progress"), ...ofBlob, bytes, image }),
      z.strictObject({ type: z.literal("hit"), ...ofBlob, image }),
      z.strictObject({ type: z.literal("fill"), ...ofBlob, image }),
      z.strictObject({ type: z.literal("rebuild"), ...ofBlob, image }),
      z.strictObject({ type: z.literal("link"), ...ofBlob, target: z.string(), image }),
      z.strictObject({ type: z.literal("mount"), ...ofBlob, image }),
      z.strictObject({ type: z.literal("resume"), ...ofBlob, offset: bytes, reason: z.string().optional(), image }),
      z.strictObject({
        type: z.literal("retry"),
        digest: digest.optional(),
        size: bytes.optional(),
        image,
        reason: z.string(),
        registry: z.string().optional(),
        host: z.string().optional(),
        attempt: count.optional(),
        retries: count.optional(),
        delayMs: duration.optional(),
      }),
      z.strictObject({
        type: z.literal("wait"),
        digest: digest.optional(),
        size: bytes.optional(),
        registry: z.string(),
        host: z.string(),
        image,
      }),
      z.strictObject({
        type: z.literal("done"),
        ...ofBlob,
        delivery: z.enum(["fetched", "hit", "linked", "copied", "mounted", "skipped"]),
        image,
      }),
      z.strictObject({
        type: z.literal("warning"),
        message: z.string(),
        code: z.string().optional(),
        digest: digest.optional(),
        image,
      }),
      z.strictObject({ type: z.literal("images"), images: count.describe("that mote sync has found") }),
      z.strictObject({ type: z.literal("image"), done: count, images: count, ...syncedImage }),
    ]),
  }),
  z.strictObject({ result: z.unknown() }),
]);
