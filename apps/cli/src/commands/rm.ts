import { isDigest, MoteError } from "@mote/core";
import type { Context } from "../context.js";
import { findDigest } from "../find-digest.js";
import { openHouse } from "../wire.js";

export async function rm(context: Context, names: readonly string[]): Promise<void> {
  await using mote = await openHouse(context);
  const { cache } = mote;
  const removed: string[] = [];
  for (const name of names) {
    if (await cache.tags?.resolve(name)) {
      await cache.tags?.untag(name);
      removed.push(name);
      continue;
    }
    const digest = isDigest(name) ? name : await findDigest(cache, name);
    if (!(await cache.moteExists(digest))) {
      throw new MoteError("MOTE_NOT_FOUND", `${digest} is not in the cache ${context.dir}; \`mote ls\` lists what is`);
    }
    await cache.removeMote(digest);
    removed.push(digest);
  }
  context.out.result(removed, removed);
}
