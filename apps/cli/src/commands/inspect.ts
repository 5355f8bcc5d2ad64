import type { Context } from "../context.js";
import { UsageError } from "../input/usage-error.js";
import { inspectionLines } from "../output/inspection-text.js";
import { escapeJson } from "../output/terminal-text.js";
import { type OpenMote, openCache } from "../wire.js";

interface InspectOptions {
  readonly platform?: string;
  readonly allPlatforms: boolean;
  readonly raw: boolean;
  readonly config: boolean;
  readonly digest: boolean;
  readonly offline: boolean;
}

export async function inspect(context: Context, reference: string, options: InspectOptions): Promise<void> {
  const { out, signal } = context;
  assertTogether(options, out.json);
  const { platform, allPlatforms, offline } = options;
  await using mote = await openCache(context, { readOnly: true, cacheOptional: true, offline });
  if (options.digest) {
    const { descriptor } = await mote.readDocument(reference, "manifest", { platform, signal });
    out.result({ digest: descriptor.digest }, [descriptor.digest]);
  } else if (options.raw || options.config) await printDocument(context, mote, reference, options);
  else {
    const inspection = await mote.inspect(reference, { platform, allPlatforms, signal });
    out.result(inspection, inspectionLines(inspection, out));
  }
}

async function printDocument(
  { out, signal }: Context,
  mote: OpenMote,
  reference: string,
  { config, platform }: InspectOptions,
): Promise<void> {
  const { bytes } = await mote.readDocument(reference, config ? "config" : "manifest", { platform, signal });
  // Bytes for a program are unchanged, and those for a terminal have the same value as JSON.
  const text = out.columns === undefined ? undefined : `${escapeJson(new TextDecoder().decode(bytes))}\n`;
  await out.write(text === undefined ? bytes : new TextEncoder().encode(text));
}

/** @throws UsageError for options that exclude each other */
function assertTogether(options: InspectOptions, json: boolean): void {
  const chosen = (["raw", "config", "digest"] as const).filter((name) => options[name]).map((name) => `--${name}`);
  const [one, other] = [...chosen, ...(json && !options.digest && chosen.length > 0 ? ["--json"] : [])];
  if (one !== undefined && other !== undefined) throw new UsageError(`cannot combine ${one} with ${other}`);
  if (options.platform !== undefined && options.allPlatforms) {
    throw new UsageError("cannot combine --platform with --all-platforms");
  }
}
