import type { Context } from "../context.js";
import { shortDigest } from "../output/listing.js";
import { count, formatBytes, formatDuration } from "../output/quantity.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { showWork } from "../progress/work-progress.js";
import { listArchive, verifyArchive } from "../wire.js";

/** Lists the images of an archive or a layout. */
export async function listImages(
  { out, signal }: Context,
  archive: string,
  { full }: { readonly full: boolean },
): Promise<void> {
  const { style, columns } = out;
  const listing = await listArchive(archive, { signal });
  const table: TableColumn[] = [
    { title: "NAME", elastic: true },
    { title: "DIGEST", style: style.dim },
    { title: "KIND" },
    { title: "SIZE", align: "right" },
    { title: "NOTE", style: style.yellow },
  ];
  const rows = listing.images.map(({ name = "-", digest, kind, size, storedBytes }) => {
    const note = storedBytes === size ? "" : `${formatBytes(storedBytes)} here`;
    return [name, full ? digest : shortDigest(digest), kind, formatBytes(size), note];
  });
  out.result({ archive, ...listing }, textTable(table, rows, { width: full ? undefined : columns, style }));
  const { images, motes, bytes, reliesOn } = listing;
  out.note(`${count(images.length, "image")}, ${count(motes, "mote")}, ${formatBytes(bytes)}${reliedOn(reliesOn)}`);
}

/** Compares all content of an archive or a layout with its digests. */
export async function verifyImages({ out, signal }: Context, archive: string): Promise<void> {
  const startMs = performance.now();
  using work = showWork(out, { label: "verifying", noun: "motes" });
  const report = await verifyArchive(archive, {
    signal,
    onProgress: ({ motes, bytes }) => work.update({ done: motes, bytes }),
  });
  const { images, motes, bytes, damaged, missing, incomplete, reliesOn } = report;
  const durationMs = performance.now() - startMs;
  const verified = images === 0 ? "nothing to verify" : "all verified";
  const found = [
    ...(damaged.length > 0 ? [`${damaged.length} damaged`] : []),
    ...(missing.length > 0 ? [`${missing.length} missing`] : []),
  ];
  out.result({ archive, ...report, durationMs }, [
    `${count(images, "image")}, ${count(motes, "mote")}, ${formatBytes(bytes)}: ${found.join(", ") || verified}, in ${formatDuration(durationMs)}`,
    ...damaged.map(({ digest }) => `damaged ${digest}`),
    ...missing.map((digest) => `missing ${digest}`),
    ...incomplete.map((name) => `incomplete ${name}`),
    ...reliesOn.map(({ digest }) => `relies on ${digest}`),
  ]);
  if (incomplete.length > 0) process.exitCode = 1;
}

function reliedOn(blobs: readonly { readonly size: number }[]): string {
  if (blobs.length === 0) return "";
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  return `; relies on ${count(blobs.length, "blob")}, ${formatBytes(bytes)}`;
}
