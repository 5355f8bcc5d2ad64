import type { Context } from "../context.js";
import { listMotes } from "../listing.js";
import { count, formatBytes } from "../quantity.js";
import { openHouse } from "../wire.js";

export async function du(context: Context): Promise<void> {
  await using mote = await openHouse(context);
  let motes = 0;
  let bytes = 0;
  for await (const { size } of listMotes(mote.cache, context.signal)) {
    motes++;
    bytes += size;
  }
  context.out.result({ dir: context.dir, motes, bytes }, [
    `${formatBytes(bytes)} in ${count(motes, "mote")}  ${context.dir}`,
  ]);
}
