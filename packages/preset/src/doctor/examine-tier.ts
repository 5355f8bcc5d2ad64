import { digestBytes, hasCode, MoteError, type MoteStore, readMote, silentLogger, writeMote } from "@mote/core";
import { TransportTable } from "@mote/ref";
import { Endpoints } from "../endpoints/endpoints.js";
import { transports } from "../endpoints/transports.js";
import { References } from "../references/references.js";
import { bucketAt, openTier, type Tier } from "../tiers/open-tier.js";
import { examineBucket } from "./examine-bucket.js";
import { examineSharedBlobInfoCache } from "./examine-shared-bic.js";
import type { ExamineOptions, Finding } from "./finding.js";

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
  const findings: Finding[] = [];
  let tier: Tier | undefined;
  try {
    if (bucketAt(url) !== undefined) return await examineBucket(url, { topic, signal });
    tier = await openTier(url, { endpoints, references, logger: silentLogger });
    await tier?.initialize?.({ signal });
    await tier?.find(probe().digest, { signal });
    findings.push({ topic, state: "ok", says: `${url} responds` });
    if (tier !== undefined) findings.push(await ofWrites(tier));
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    const advice = "commands continue without the tier; check its URL, its credentials and the network";
    findings.push({ topic, state: "fail", says: error.message, advice });
  } finally {
    await tier?.[Symbol.asyncDispose]?.();
    await endpoints.close();
  }
  return findings;
}

async function ofWrites(tier: Tier): Promise<Finding> {
  const topic = "tier writes";
  if (!isStore(tier)) return { topic, state: "ok", says: "none: a registry is only read" };
  const { bytes, digest } = probe();
  try {
    await writeMote(tier, { digest, mediaType, size: bytes.byteLength }, bytes);
    await readMote(tier, digest, { maxBytes: maxProbeBytes });
    await tier.removeMote(digest);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    return { topic, state: "warn", says: error.message, advice: "without permission to write, the tier is only read" };
  }
  const wrong = digestBytes(new TextEncoder().encode(`not ${digest}`));
  const accepted = await writeMote(tier, { digest: wrong, mediaType }, bytes).then(
    () => true,
    (error: unknown) => !hasCode(error, "MOTE_DIGEST_MISMATCH"),
  );
  if (!accepted) return { topic, state: "ok", says: "stores content, and rejects wrong bytes" };
  await tier.removeMote(wrong);
  return { topic, state: "fail", says: "does not reject wrong bytes", advice: "use another service" };
}

/** Content that no other cache has, so that removing it harms nothing. */
function probe() {
  const bytes = new TextEncoder().encode(`mote doctor ${process.pid} ${Date.now()}`);
  return { bytes, digest: digestBytes(bytes) };
}

function isStore(tier: Tier): tier is MoteStore {
  return tier.createMote !== undefined && tier.removeMote !== undefined;
}
