import type { Digest } from "@mote/core";
import type { Context } from "../context.js";
import { notCached, shortDigest } from "../output/listing.js";
import { openCache } from "../wire.js";

/** Pins or unpins names and digests. Pinning a manifest protects all its content. */
export async function pin(context: Context, texts: readonly string[], wanted: "pin" | "unpin"): Promise<void> {
  const { out, dir, signal } = context;
  await using mote = await openCache(context);
  const { cache } = mote;
  if (cache.pinned === undefined) throw new TypeError("this cache does not support pins");
  const targets: { digest: Digest; name?: string }[] = [];
  // All are resolved first, so that a wrong last name changes nothing.
  for (const text of texts) {
    const found = await mote.find(text);
    if (wanted === "pin" && !(await cache.moteExists(found.digest, { signal }))) {
      throw notCached(dir, found.digest);
    }
    targets.push(found);
  }
  const pinned = new Set<Digest>();
  for await (const digest of cache.pinned.pins({ signal })) pinned.add(digest);
  const results: { digest: Digest; name?: string; changed: boolean }[] = [];
  for (const target of targets) {
    const changed = pinned.has(target.digest) !== (wanted === "pin");
    if (changed) await cache.pinned[wanted](target.digest, { signal });
    results.push({ ...target, changed });
  }
  out.result(
    results,
    results.map(({ digest, name, changed }) => {
      const what = name === undefined ? digest : `${name} (${shortDigest(digest)})`;
      if (wanted === "pin") return changed ? `pinned ${what}` : `${what} is already pinned`;
      return changed ? `unpinned ${what}` : `${what} is not pinned`;
    }),
  );
}
