import type { Context } from "../context.js";
import { openReadOnly } from "../wire.js";

export async function cat(context: Context, text: string): Promise<void> {
  await using mote = await openReadOnly(context);
  const { digest } = await mote.find(text);
  await using reader = await mote.cache.moteReader(digest, { signal: context.signal });
  for await (const chunk of reader) await context.out.write(chunk);
}
