import {
  type BlobInfoCache,
  type Digest,
  digestBytes,
  type ReplacementCandidate,
  UNKNOWN_TRANSFORMER,
  UNTRANSFORMED,
} from "@mote/core";
import fc from "fast-check";

const digests = ["a", "b", "c", "d"].map((name) => digestBytes(new TextEncoder().encode(name)));
const scopes = ["one", "two"];
const transport = "model";

/** A record. */
export type Step =
  | { readonly step: "pair"; readonly any: Digest; readonly untransformed: Digest }
  | { readonly step: "name"; readonly digest: Digest; readonly name: string }
  | { readonly step: "seen" | "forgotten"; readonly scope: string; readonly digest: Digest; readonly location: string };

const digest = fc.constantFrom(...digests);
const name = fc.constantFrom("gzip", "zstd", "zstd:chunked", UNTRANSFORMED, UNKNOWN_TRANSFORMER);
const location = fc.constantFrom("1", "2", "3");
const scope = fc.constantFrom(...scopes);
const pairStep = fc.record({ step: fc.constant("pair" as const), any: digest, untransformed: digest });
const nameStep = fc.record({ step: fc.constant("name" as const), digest, name });
const locationOf = { scope, digest, location };
const seenStep = fc.record({ step: fc.constant("seen" as const), ...locationOf });
const forgottenStep = fc.record({ step: fc.constant("forgotten" as const), ...locationOf });

/** Generates workloads of a few records. */
export const steps = (options: { readonly canRemove: boolean }): fc.Arbitrary<Step[]> =>
  fc.array(
    options.canRemove
      ? fc.oneof(pairStep, nameStep, { arbitrary: seenStep, weight: 3 }, forgottenStep)
      : fc.oneof(pairStep, nameStep, { arbitrary: seenStep, weight: 3 }),
    { maxLength: 30 },
  );

export async function take(cache: BlobInfoCache, step: Step): Promise<void> {
  if (step.step === "pair") return cache.recordDigestUntransformedPair(step.any, step.untransformed);
  if (step.step === "name") return cache.recordDigestTransformerName(step.digest, step.name);
  if (step.step === "seen") return cache.recordKnownLocation(transport, step.scope, step.digest, step.location);
  await cache.removeKnownLocation?.(transport, step.scope, step.digest, step.location);
}

/** Returns everything that can be looked up about what the steps recorded. */
export async function results(cache: BlobInfoCache): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const asked of digests) {
    all.push(await cache.untransformedDigest(asked));
    for (const scope of scopes) {
      for (const canSubstitute of [false, true]) {
        const found = await cache.candidateLocations(transport, scope, asked, { canSubstitute });
        all.push(found.map(withoutTime));
      }
    }
  }
  return all;
}

/** Returns the same results, computed from the steps in the simplest way. */
export function expectedResults(taken: readonly Step[]): unknown[] {
  const plain = new Map<Digest, Digest>();
  const names = new Map<Digest, string>();
  const seen: { scope: string; digest: Digest; location: string }[] = [];
  for (const step of taken) {
    if (step.step === "pair") {
      plain.set(step.any, step.untransformed);
      if (!plain.has(step.untransformed)) plain.set(step.untransformed, step.untransformed);
    } else if (step.step === "name") {
      const known = names.get(step.digest);
      if (step.name === UNKNOWN_TRANSFORMER) names.delete(step.digest);
      else if (!known?.startsWith(`${step.name}:`)) names.set(step.digest, step.name);
    } else {
      const { scope, digest, location } = step;
      const at = seen.findIndex((s) => s.scope === scope && s.digest === digest && s.location === location);
      if (at >= 0) seen.splice(at, 1);
      if (step.step === "seen") seen.unshift({ scope, digest, location });
    }
  }
  const all: unknown[] = [];
  for (const asked of digests) {
    const untransformed = plain.get(asked);
    all.push(untransformed);
    for (const scope of scopes) {
      const of = (wanted: (digest: Digest) => boolean) =>
        seen
          .filter((s) => s.scope === scope && wanted(s.digest))
          .map(({ digest, location }) => ({
            digest,
            transformerName: names.get(digest) ?? UNKNOWN_TRANSFORMER,
            location,
          }));
      const own = of((digest) => digest === asked);
      const isForm = (digest: Digest) => digest !== asked && digest !== untransformed;
      const forms = untransformed === undefined ? [] : of((d) => isForm(d) && plain.get(d) === untransformed);
      const last = of((digest) => digest === untransformed && digest !== asked);
      all.push(own, [...own, ...forms, ...last]);
    }
  }
  return all;
}

function withoutTime({ digest, transformerName, location }: ReplacementCandidate) {
  return { digest, transformerName, location };
}
