import type { MoteCache, Verifiable, VerifyReport } from "@mote/core";
import type { Context } from "../context.js";
import type { Output } from "../output.js";
import { showWork } from "../progress/work-progress.js";
import { count, formatBytes } from "../quantity.js";
import { openHouse } from "../wire.js";

type Damaged = VerifyReport["damaged"][number];

export async function verify(context: Context, options: { readonly repair: boolean }): Promise<void> {
  const { out, signal } = context;
  await using mote = await openHouse(context);
  if (!mote.cache.verify) throw new TypeError("this cache cannot be verified");
  const report = await rehash(out, mote.cache.verify.bind(mote.cache), signal);
  if (options.repair && report.damaged.length > 0) await mote.repair({ signal });
  const repaired = options.repair ? await whatIsBack(mote.cache, report.damaged) : [];
  out.result({ ...report, ...(options.repair ? { repaired } : {}) }, [
    `${count(report.motes, "mote")}, ${formatBytes(report.bytes)}: ` +
      (report.damaged.length === 0 ? "all whole" : `${report.damaged.length} damaged`),
    ...report.damaged.map(({ digest, setAsideAs }) => {
      const fate = repaired.includes(digest) ? "fetched anew" : `set aside${setAsideAs ? ` as ${setAsideAs}` : ""}`;
      return `damaged ${digest}: ${fate}`;
    }),
    ...report.failed.map(({ digest, reason }) => `unreadable ${digest}: ${reason}`),
  ]);
  if (report.damaged.length > repaired.length || report.failed.length > 0) process.exitCode = 1;
}

async function rehash(out: Output, verify: Verifiable["verify"], signal: AbortSignal): Promise<VerifyReport> {
  const work = showWork(out, { label: "verifying", noun: "motes" });
  try {
    return await verify({ signal, onProgress: ({ motes, bytes }) => work.update({ done: motes, bytes }) });
  } finally {
    work.end();
  }
}

async function whatIsBack(cache: MoteCache, damaged: readonly Damaged[]): Promise<string[]> {
  const back: string[] = [];
  for (const { digest } of damaged) if (await cache.moteExists(digest)) back.push(digest);
  return back;
}
