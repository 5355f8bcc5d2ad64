import type { CallOptions, ContentSource, Descriptor, ReferrerSummary } from "@mote/core";

/** Returns what refers to a manifest. */
export async function summarizeReferrers(
  source: Pick<ContentSource, "referrers" | "taggedReferrers" | "summarizeReferrers">,
  descriptor: Descriptor,
  options: CallOptions = {},
): Promise<ReferrerSummary> {
  if (source.summarizeReferrers !== undefined) return source.summarizeReferrers(descriptor, options);
  const referrers: Descriptor[] = [];
  for await (const one of source.referrers?.(descriptor, options) ?? []) referrers.push(one);
  const tags: string[] = [];
  for await (const { name } of source.taggedReferrers?.(descriptor, options) ?? []) tags.push(name);
  return { referrers, tags };
}
