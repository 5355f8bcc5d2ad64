import type { Context } from "../context.js";
import { listMotes, tagsByDigest } from "../listing.js";
import { formatBytes } from "../quantity.js";
import { openHouse } from "../wire.js";

/** Digits of a digest that tell motes apart for people. */
const shownDigits = "sha256:".length + 12;

export async function ls(context: Context, options: { readonly full: boolean }): Promise<void> {
  await using mote = await openHouse(context);
  const tags = await tagsByDigest(mote.cache);
  const rows: { digest: string; size: number; tags: readonly string[] }[] = [];
  for await (const { digest, size } of listMotes(mote.cache, context.signal)) {
    rows.push({ digest, size, tags: tags.get(digest) ?? [] });
  }
  rows.sort((one, other) => other.tags.length - one.tags.length || (one.digest < other.digest ? -1 : 1));
  context.out.result(
    rows,
    rows.map(({ digest, size, tags: names }) => {
      const shown = options.full ? digest : digest.slice(0, shownDigits);
      return `${shown}  ${formatBytes(size).padStart(8)}${names.length > 0 ? `  ${names.join(" ")}` : ""}`;
    }),
  );
  if (rows.length === 0) context.out.note(`The cache in ${context.dir} is empty.`);
}
