import { z } from "zod";
import { bytes, digest, duration, listOf } from "./parts.js";

const layer = z.strictObject({
  digest,
  size: bytes,
  how: z
    .enum(["stored", "encoded", "patched", "fetched"])
    .describe("how it is obtained where the old image is stored; encoded: compressed again; patched: with a diff"),
  encoder: z.string().optional().describe("the encoder that makes the same bytes"),
  diffBytes: bytes.optional(),
  reason: z.string().optional().describe("why it is fetched"),
});

export const deltaReport = z.strictObject({
  old: z.string(),
  new: z.string(),
  destination: z.string().optional(),
  deltas: listOf({
    platform: z.string().optional(),
    source: digest.describe("the manifest of the old image"),
    subject: digest.describe("the manifest of the new image"),
    digest: digest.describe("the manifest of the delta"),
    reference: z.string().describe("the delta at the destination, or its name in the cache"),
    layers: z.array(layer),
    newBytes: bytes.describe("bytes of the layers that the old image does not have"),
    deltaBytes: bytes.describe("bytes that are fetched instead"),
  }),
  withoutOld: z.array(z.string()).describe("platforms that the old image does not have"),
  unchanged: z.array(digest).describe("images that are the same in both"),
  durationMs: duration,
  warnings: z.array(z.string()),
});
