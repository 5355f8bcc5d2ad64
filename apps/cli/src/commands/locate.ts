import { isDigest } from "@mote/core";
import type { Context } from "../context.js";
import { findDigest } from "../find-digest.js";
import { openHouse } from "../wire.js";

export async function locate(context: Context, text: string): Promise<void> {
  await using mote = await openHouse(context);
  const digest = isDigest(text) ? text : await findDigest(mote.cache, text);
  const cached = await mote.cache.moteExists(digest);
  const locations = await mote.locate(digest, { signal: context.signal });
  context.out.result({ digest, ...(cached ? { path: mote.cache.moteRef(digest) } : {}), locations }, [
    ...(cached ? [mote.cache.moteRef(digest)] : []),
    ...locations,
  ]);
  if (!cached && locations.length === 0) {
    context.out.note(`${digest} is known nowhere.`);
    process.exitCode = 1;
  }
}
