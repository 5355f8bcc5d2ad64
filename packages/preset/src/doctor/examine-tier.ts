import { digestBytes, hasCode, MoteError, type MoteStore, readMote, silentLogger, writeMote } from "@mote/core";
import { TransportTable } from "@mote/ref";
import { Endpoints } from "../endpoints/endpoints.js";
import { transports } from "../endpoints/transports.js";
import { References } from "../references/references.js";
import { bucketAt, openTier, type Tier } from "../tiers/open-tier.js";
import { examineBucket } from "./examine-bucket.js";
import { examineSharedBlobInfoCache } from "./examine-shared-bic.js";
import { type ExamineOptions, type Finding, finding, findingsOf } from "./finding.js";

const mediaType = "application/octet-stream";
const maxProbeBytes = 1_000;

/** Checks the tier and the Redis of the settings. Writes a few bytes to the tier, and removes them. */
export async function* examineTier(options: ExamineOptions): AsyncGenerator<Finding, void, undefined> {
  const { tier, bic } = options;
  if (typeof tier === "string") yield* await ofTier(tier, options);
  if (typeof bic === "string") yield* await examineSharedBlobInfoCache(bic, options);
}

async function ofTier(url: string, { plainHttp, registries, signal }: ExamineOptions): Promise<Finding[]> {
  const topic = "tier";
  const references = new References(new TransportTable(transports));
  const opening = { logger: silentLogger, plainHttp, registries, references, unpack: undefined, offline: false };
  const endpoints = new Endpoints(opening);
  let tier: Tier | undefined;
  const advice = "commands continue without the tier; check its URL, its credentials and the network";
  try {
    return await findingsOf(topic, { signal, advice }, async () => {
      if (bucketAt(url) !== undefined) return examineBucket(url, { topic, signal });
      tier = await openTier(url, { endpoints, references, logger: silentLogger });
      await tier?.initialize?.({ signal });
      await tier?.find(probe().digest, { signal });
      const responds = finding(topic, "ok", `${url} responds`);
      return tier === undefined ? [responds] : [responds, await ofWrites(tier)];
    });
  } finally {
    await tier?.[Symbol.asyncDispose]?.();
    await endpoints.close();
  }
}

async function ofWrites(tier: Tier): Promise<Finding> {
  const topic = "tier writes";
  if (!isStore(tier)) return finding(topic, "ok", "none: a registry is only read");
  const { bytes, digest } = probe();
  try {
    await writeMote(tier, { digest, mediaType, size: bytes.byteLength }, bytes);
    await readMote(tier, digest, { maxBytes: maxProbeBytes });
    await tier.removeMote(digest);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    return finding(topic, "warn", error.message, "without permission to write, the tier is only read");
  }
  const wrong = digestBytes(new TextEncoder().encode(`not ${digest}`));
  const accepted = await writeMote(tier, { digest: wrong, mediaType }, bytes).then(
    () => true,
    (error: unknown) => !hasCode(error, "MOTE_DIGEST_MISMATCH"),
  );
  if (!accepted) return finding(topic, "ok", "stores content, and rejects wrong bytes");
  await tier.removeMote(wrong);
  return finding(topic, "fail", "does not reject wrong bytes", "use another service");
}

/** Content that no other cache has, so that removing it harms nothing. */
function probe() {
  const bytes = new TextEncoder().encode(`mote doctor ${process.pid} ${Date.now()}`);
  return { bytes, digest: digestBytes(bytes) };
}

function isStore(tier: Tier): tier is MoteStore {
  return tier.createMote !== undefined && tier.removeMote !== undefined;
}
