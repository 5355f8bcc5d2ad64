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

const image = z.string().optional().describe("of mote sync: the source of the image");

/** An event of the transfer of one image. */
function event<Type extends string, Fields extends z.ZodRawShape>(type: Type, fields: Fields) {
  return z.strictObject({ type: z.literal(type), ...fields, image });
}

const ofBlob = { digest, size: bytes };
const mayBeOfBlob = { digest: digest.optional(), size: bytes.optional() };

/** One line on stdout under `--json=events`. */
export const eventLine = z.union([
  z.strictObject({
    event: z.discriminatedUnion("type", [
      event("plan", { manifests: count, blobs: count, bytes }),
      event("start", { ...ofBlob, mediaType: z.string() }),
      event("progress", { ...ofBlob, bytes }),
      event("hit", ofBlob),
      event("fill", ofBlob),
      event("rebuild", ofBlob),
      event("link", { ...ofBlob, target: z.string() }),
      event("mount", ofBlob),
      event("resume", { ...ofBlob, offset: bytes, reason: z.string().optional() }),
      event("retry", {
        ...mayBeOfBlob,
        reason: z.string(),
        registry: z.string().optional(),
        host: z.string().optional(),
        attempt: count.optional(),
        retries: count.optional(),
        delayMs: duration.optional(),
      }),
      event("wait", { ...mayBeOfBlob, registry: z.string(), host: z.string() }),
      event("done", {
        ...ofBlob,
        delivery: z.enum(["fetched", "hit", "linked", "copied", "mounted", "skipped"]),
      }),
      event("warning", { message: z.string(), code: z.string().optional(), digest: digest.optional() }),
      z.strictObject({ type: z.literal("images"), images: count.describe("that mote sync has found") }),
      z.strictObject({ type: z.literal("image"), done: count, images: count, ...syncedImage }),
    ]),
  }),
  z.strictObject({ result: z.unknown() }),
]);
