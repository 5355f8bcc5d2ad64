import { z } from "zod";
import { deltaReport } from "./delta.js";
import { imageDiff, imageFile, inspection, placed, placedFiles, unpacked } from "./inspection.js";
import {
  bytes,
  count,
  descriptor,
  digest,
  duration,
  kind,
  listOf,
  pathRef,
  registryRef,
  skipped,
  time,
  transferReport,
} from "./parts.js";
import { syncReport } from "./sync.js";

const share = { motes: count, bytes, unsharedBytes: bytes.describe("bytes that its removal would free") };
const location = z.strictObject({
  location: z.string(),
  seenMs: time.optional(),
  verdict: z.string().optional().describe("with --for: whether the destination can mount it"),
});
const form = z.looseObject({ digest, places: z.array(location) });

const treeNode = z.strictObject({
  role: z.string().describe("its role in the parent node"),
  digest,
  kind,
  mediaType: z.string(),
  size: bytes,
  artifactType: z.string().optional(),
  kept: z.boolean(),
  get children() {
    return z.array(treeNode);
  },
});

const pull = z.strictObject({ source: z.string(), destination: z.string().optional(), ...transferReport });
const demoPull = z.strictObject({
  command: z.string(),
  report: pull,
  durationMs: duration,
  requests: count,
  blobRequests: count,
  bytesSent: bytes,
});

const stored = {
  digest,
  size: bytes,
  kind,
  mediaType: z.string(),
  tags: z.array(z.string()),
  pinned: z.boolean(),
  verified: z.boolean().optional().describe("hashed since its last change"),
  usedMs: time.optional(),
  storedMs: time.optional(),
  referredBy: z.array(digest).describe("cached manifests that refer to it"),
  partOf: z.array(z.string()).describe("names of images that contain it"),
};

const quarantined = z.strictObject({ files: count, bytes });
const pinned = listOf({ digest, name: z.string().optional(), changed: z.boolean() });

const reliedOn = z.strictObject({
  digest,
  size: bytes,
  mediaType: z.string(),
  images: z.array(z.string()).describe("names of images that contain it where the archive is read"),
});

/** The `--json` document of each command, by name. */
export const documents: Readonly<Record<string, z.ZodType>> = {
  pull: z.union([
    pull,
    pull.partial().extend({ source: z.string(), unpacked }).describe("with --unpack"),
    pull.extend({ placed }).describe("with --into"),
  ]),
  copy: pull,
  push: z.union([
    pull,
    z.strictObject({
      files: listOf({ path: z.string(), mediaType: z.string().optional() }),
      destination: z.string(),
      ...transferReport,
    }),
  ]),
  sync: syncReport,
  delta: deltaReport,
  add: listOf({ digest, size: bytes, file: z.string() }),
  ls: z.union([
    listOf({
      ...stored,
      subject: digest.optional().describe("the subject of a referrer, such as a signature"),
      totalBytes: bytes.optional().describe("for images: the cached size of the complete image"),
      missing: count.optional().describe("for images: number of referenced motes that are not cached"),
    }),
    z.strictObject({
      archive: z.string(),
      images: listOf({
        name: z.string().optional(),
        digest,
        mediaType: z.string(),
        kind: z.enum(["image", "index"]),
        size: bytes.describe("bytes of the complete image"),
        storedBytes: bytes.describe("bytes of it that are in the archive"),
      }),
      motes: count,
      bytes,
      reliesOn: z.array(reliedOn).describe("blobs that a thin archive was written without"),
    }),
  ]),
  get: z.union([
    z.strictObject({
      image: z.string(),
      digest: digest.describe("of the image"),
      output: z.string().optional(),
      ...placedFiles,
    }),
    z.strictObject({ digest, files: z.array(imageFile) }).describe("with --list"),
  ]),
  inspect: z.union([inspection, z.strictObject({ digest }).describe("with --digest")]),
  diff: imageDiff,
  tags: z.strictObject({
    repository: z.string(),
    tags: z.array(z.string()),
    created: z.record(z.string(), z.string()).optional().describe("with --sort time: when the images were created"),
  }),
  info: z.strictObject({
    ...stored,
    path: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
    places: z.array(location),
    tree: treeNode.optional(),
  }),
  du: z.strictObject({
    dir: z.string(),
    motes: count,
    bytes,
    registries: listOf({
      registry: z.string(),
      ...share,
      repositories: listOf({
        repository: z.string(),
        ...share,
        images: listOf({ digest, tags: z.array(z.string()), ...share }),
      }),
    }),
    loose: z.strictObject({ motes: count, bytes }).describe("motes that no manifest refers to"),
    quarantined: quarantined.describe("quarantined files, included in bytes"),
  }),
  locate: z.strictObject({
    digest,
    places: z.array(location),
    untransformed: digest.optional(),
    otherForms: z.array(form).describe("the same content in other forms, such as another compression"),
    path: z.string().optional(),
    locations: z.array(z.string()),
  }),
  ref: z.union([registryRef.extend({ canonical: z.string() }), pathRef.extend({ canonical: z.string() })]),
  rm: z.strictObject({
    removed: z.array(digest),
    untagged: z.array(z.string()),
    removedBytes: bytes,
    freedBytes: bytes.describe("disk space that was freed"),
    leftBehind: z.looseObject({ motes: count, bytes }),
    skipped,
  }),
  pin: pinned,
  unpin: pinned,
  prune: z.strictObject({
    removed: listOf({
      digest,
      size: bytes,
      mediaType: z.string(),
      kind: kind.optional(),
      usedMs: time,
      reason: z.enum(["age", "size"]),
    }),
    removedBytes: bytes,
    freedBytes: bytes,
    remainingBytes: bytes,
    untagged: z.array(z.string()),
    skipped,
    quarantined: quarantined.optional().describe("quarantined files, which are removed first"),
    reached: z.boolean().describe("whether the cache is within the size"),
    dryRun: z.boolean(),
  }),
  verify: z.union([
    z.strictObject({
      motes: count,
      bytes,
      damaged: listOf({ digest, size: bytes, setAsideAs: z.string().optional() }),
      failed: listOf({ digest, reason: z.string() }),
      durationMs: duration,
      repaired: z
        .array(digest)
        .optional()
        .describe("content that was damaged, unreadable or missing, and is stored again"),
      left: listOf({ digest, reason: z.string() }).optional().describe("content that could not be repaired, and why"),
      incomplete: z.array(z.string()).optional().describe("names of incomplete images"),
      quarantined: quarantined.describe("files in quarantine now"),
    }),
    z.strictObject({
      archive: z.string(),
      images: count,
      motes: count,
      bytes,
      damaged: listOf({ digest, reason: z.string() }),
      missing: z.array(digest),
      reliesOn: z.array(reliedOn),
      incomplete: z.array(z.string()).describe("names of images with damaged or missing content"),
      durationMs: duration,
    }),
  ]),
  "bic stats": z.looseObject({
    locations: count,
    absences: count,
    pairs: count,
    transformers: count,
    sizeBytes: bytes,
    mode: z.enum(["persistent", "memory", "read-only"]),
  }),
  "bic export": z.strictObject({ file: z.string(), facts: count }),
  "bic merge": listOf({ file: z.string(), facts: count, changed: count }),
  serve: z.strictObject({ url: z.string(), dir: z.string() }),
  "serve warm": z.strictObject({
    images: listOf({
      image: z.string(),
      digest: digest.optional(),
      bytes: bytes.optional().describe("of all its blobs"),
      fetchedBytes: bytes.optional().describe("of the blobs that were missing"),
      error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
    }),
    failed: count,
  }),
  login: z.strictObject({ registry: z.string(), username: z.string(), keptIn: z.string(), checked: z.boolean() }),
  logout: z.strictObject({ registry: z.string(), erased: z.array(z.string()) }),
  config: z.strictObject({
    settings: listOf({
      key: z.string(),
      value: z.unknown(),
      layer: z.enum(["flag", "environment", "project", "user", "default"]),
      where: z.string().optional(),
    }),
    files: listOf({ layer: z.enum(["project", "user"]), path: z.string(), exists: z.boolean() }),
  }),
  doctor: z.strictObject({
    ok: z.boolean(),
    findings: listOf({
      topic: z.string(),
      state: z.enum(["ok", "warn", "fail"]),
      says: z.string(),
      advice: z.string().optional(),
    }),
  }),
  demo: z.strictObject({ dir: z.string(), image: descriptor, cold: demoPull, warm: demoPull }),
};
