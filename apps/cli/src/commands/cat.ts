import type { Context } from "../context.js";
import { findDigest } from "../find-digest.js";
import { openHouse } from "../wire.js";

export async function cat(context: Context, text: string): Promise<void> {
  await using mote = await openHouse(context);
  const digest = await findDigest(mote.cache, text);
  await using reader = await mote.cache.moteReader(digest, { signal: context.signal });
  for await (const chunk of reader) await context.out.write(chunk);
}
