import type { Context } from "../context.js";
import { shortMediaType } from "../output/image-tree.js";
import { shortDigest } from "../output/listing.js";
import { formatBytes } from "../output/quantity.js";
import { textTable } from "../output/text-table.js";
import { type ImageDiff, openCache } from "../wire.js";

interface DiffOptions {
  readonly platform?: string;
  readonly offline: boolean;
}

export async function diff(context: Context, first: string, second: string, options: DiffOptions): Promise<void> {
  const { out, signal } = context;
  const { platform, offline } = options;
  await using mote = await openCache(context, { readOnly: true, cacheOptional: true, offline });
  const found = await mote.diff(first, second, { platform, signal });
  out.result(found, diffLines(found, out));
}

const marks = { both: " ", first: "-", second: "+" } as const;

function diffLines(
  { images, layers, sharedBytes, config }: ImageDiff,
  { columns: width, style }: Context["out"],
): string[] {
  const [first, second] = images;
  const named = ({ reference, digest, platform }: typeof first) =>
    [reference, shortDigest(digest), platform].filter(Boolean).join("  ");
  const columns = [
    { title: "" },
    { title: "LAYER" },
    { title: "SIZE", align: "right" as const },
    { title: "TYPE" },
    { title: "CREATED BY", elastic: true as const },
  ];
  const rows = layers.map(({ digest, size, mediaType, createdBy = "", in: where }) => [
    marks[where],
    shortDigest(digest),
    formatBytes(size),
    shortMediaType(mediaType),
    createdBy,
  ]);
  return [
    `- ${named(first)}`,
    `+ ${named(second)}`,
    "",
    ...textTable(columns, rows, { width, style }),
    `shared ${formatBytes(sharedBytes)}; only in the first ${formatBytes(first.unsharedBytes)}, only in the second ${formatBytes(second.unsharedBytes)}`,
    ...(config.length === 0 ? [] : [""]),
    ...config.flatMap(({ field, first: before, second: after }) => [
      ...(before === undefined ? [] : [`- ${field}: ${before}`]),
      ...(after === undefined ? [] : [`+ ${field}: ${after}`]),
    ]),
  ];
}
