import type { Context } from "../context.js";
import { count, formatBytes } from "../quantity.js";
import { openHouse } from "../wire.js";

export async function verify(context: Context, options: { readonly repair: boolean }): Promise<void> {
  const { out, signal } = context;
  await using mote = await openHouse(context);
  if (!mote.cache.verify) throw new TypeError("this cache cannot be verified");
  const report = await mote.cache.verify({ signal });
  const repaired = new Set<string>();
  if (options.repair) {
    for (const { digest, size } of report.damaged) {
      if (await mote.refetch(digest, { size, signal })) repaired.add(digest);
    }
  }
  out.result({ ...report, ...(options.repair ? { repaired: [...repaired] } : {}) }, [
    `${count(report.motes, "mote")}, ${formatBytes(report.bytes)}: ` +
      (report.damaged.length === 0 ? "all whole" : `${report.damaged.length} damaged`),
    ...report.damaged.map(({ digest, setAsideAs }) => {
      const fate = repaired.has(digest) ? "fetched anew" : setAsideAs ? `set aside as ${setAsideAs}` : "left in place";
      return `damaged ${digest}: ${fate}`;
    }),
    ...report.failed.map(({ digest, reason }) => `unreadable ${digest}: ${reason}`),
  ]);
  if (report.damaged.some(({ digest }) => !repaired.has(digest)) || report.failed.length > 0) process.exitCode = 1;
}
