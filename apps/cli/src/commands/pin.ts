import { type Digest, MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { shortDigest } from "../output/listing.js";
import { openCache } from "../wire.js";

/** Pins or unpins what is meant by each text. A pinned manifest keeps all that is below it. */
export async function pin(context: Context, texts: readonly string[], wanted: "pin" | "unpin"): Promise<void> {
  const { out, dir, signal } = context;
  await using mote = await openCache(context);
  const { cache } = mote;
  if (cache.pinned === undefined) throw new TypeError("this cache has no pins");
  const targets: { digest: Digest; name?: string }[] = [];
  // First everything is found: a typing error in the last name changes nothing.
  for (const text of texts) {
    const found = await mote.find(text);
    if (wanted === "pin" && !(await cache.moteExists(found.digest, { signal }))) {
      throw new MoteError("MOTE_NOT_FOUND", `${found.digest} is not in the cache ${dir}; \`mote ls\` lists what is`);
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
      if (wanted === "pin") return changed ? `pinned ${what}: prune leaves it whole` : `${what} was pinned already`;
      return changed ? `unpinned ${what}` : `${what} was not pinned`;
    }),
  );
}
