import { type QuarantineSize, takeInventory } from "@mote/core";
import type { Context } from "../context.js";
import { shortDigest } from "../output/listing.js";
import { count, formatBytes } from "../output/quantity.js";
import { spaceBar } from "../output/space-bar.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { type ImageUsage, measureSpace, openReadOnly, type SpaceUsage } from "../wire.js";

type Level = "registry" | "repository" | "image";

interface Row {
  readonly name: string;
  readonly depth: number;
  readonly bytes: number;
  readonly unsharedBytes: number;
}

export async function du(context: Context, { by: level }: { readonly by: Level }): Promise<void> {
  const { out, dir, signal } = context;
  await using mote = await openReadOnly(context);
  const measured = measureSpace(await takeInventory(mote.cache, { signal }));
  const quarantined = (await mote.cache.quarantined?.({ signal })) ?? { files: 0, bytes: 0 };
  const usage = { ...measured, bytes: measured.bytes + quarantined.bytes, quarantined };
  const total = `${formatBytes(usage.bytes)} in ${count(usage.motes, "mote")}  ${dir}`;
  out.result({ dir, ...usage }, [...table(context, usage, level), total]);
}

/** Disk usage with quarantined files, which are included in `bytes`. */
interface Usage extends SpaceUsage {
  readonly quarantined: QuarantineSize;
}

function table({ out }: Context, usage: Usage, level: Level): string[] {
  const { style, columns: width } = out;
  const rows = rowsOf(usage, level);
  const columns: TableColumn[] = [
    { title: "SIZE", align: "right" },
    { title: "UNSHARED", align: "right" },
    { title: "SHARED", align: "right" },
    // A pipe gets numbers only.
    ...(width === undefined ? [] : [{ title: "SHARE OF CACHE", optional: true } as const]),
    { title: "NAME", elastic: true },
  ];
  const barWidth = Math.max(10, Math.min(30, Math.floor((width ?? 80) / 4)));
  const cells = rows.map(({ name, depth, bytes, unsharedBytes }) => [
    formatBytes(bytes),
    formatBytes(unsharedBytes),
    bytes === unsharedBytes ? "-" : formatBytes(bytes - unsharedBytes),
    ...(width === undefined ? [] : [spaceBar({ bytes, unsharedBytes, of: usage.bytes }, { width: barWidth, style })]),
    `${"  ".repeat(depth)}${name}`,
  ]);
  return textTable(columns, cells, { width, style });
}

function rowsOf(usage: Usage, level: Level): Row[] {
  const rows: Row[] = [];
  for (const { registry, repositories, ...share } of usage.registries) {
    rows.push({ name: registry || "(no name)", depth: 0, ...share });
    if (level === "registry") continue;
    for (const { repository, images, ...repositoryShare } of repositories) {
      const [only, ...others] = images;
      if (level === "image" && registry !== "" && only !== undefined && others.length === 0) {
        rows.push({ name: `${repository}${tagsText(only)}`, depth: 1, ...repositoryShare });
        continue;
      }
      // An image without a name has no repository.
      if (registry !== "") rows.push({ name: repository, depth: 1, ...repositoryShare });
      if (level === "repository") continue;
      for (const { digest, tags, ...imageShare } of images) {
        rows.push({ name: tagsText({ digest, tags }), depth: registry === "" ? 1 : 2, ...imageShare });
      }
    }
  }
  const { motes, bytes } = usage.loose;
  if (motes > 0) rows.push({ name: `(${count(motes, "unreferenced blob")})`, depth: 0, bytes, unsharedBytes: bytes });
  const { files, bytes: damagedBytes } = usage.quarantined;
  if (files > 0) {
    const name = `(${count(files, "quarantined file")})`;
    rows.push({ name, depth: 0, bytes: damagedBytes, unsharedBytes: damagedBytes });
  }
  return rows;
}

/** Returns tags or digest as they follow the name of a repository. */
function tagsText({ digest, tags }: Pick<ImageUsage, "digest" | "tags">): string {
  return tags.length === 0 ? `@${shortDigest(digest)}` : `:${tags.join(", :")}`;
}
