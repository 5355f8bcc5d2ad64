import type { Context } from "../context.js";
import { deltaLines } from "../output/delta-report.js";
import { showDelta } from "../progress/delta-progress.js";
import { goesToStdout, openCache } from "../wire.js";

interface DeltaCommandOptions {
  readonly platform?: string;
  readonly force: boolean;
}

/** Makes the deltas from one image to another, and prints what they cost. */
export async function delta(
  context: Context,
  [old, next]: readonly [string, string],
  destination: string | undefined,
  { force }: DeltaCommandOptions,
): Promise<void> {
  const { out, signal, settings } = context;
  collectOften();
  if (destination !== undefined && (await goesToStdout(destination))) out.leaveStdout();
  await using mote = await openCache(context);
  using progress = showDelta(out);
  const report = await mote.delta(old, next, destination, {
    ...{ signal, ...progress },
    platform: settings.platform?.split(","),
    concurrency: settings.concurrency,
    overwrite: force,
  });
  progress.end();
  const { deltas, withoutOld, unchanged } = report;
  for (const platform of withoutOld) out.warn(`no delta for ${platform}: ${old} does not have it`);
  if (deltas.length === 0 && unchanged.length > 0) out.note(`${old} and ${next} are the same image; there is no delta`);
  const lines = out.quiet ? deltas.map(({ reference }) => reference) : deltaLines(report, out);
  out.result(report, lines);
}

/**
 * Makes V8 collect young objects four times as often. Those of the streams of this command are few, but they keep chunks whose memory V8 does not
 * count as young: 20 to 40 MB.
 */
function collectOften(): void {
  process.getBuiltinModule("node:v8").setFlagsFromString("--minor-gc-task-trigger=20");
}
