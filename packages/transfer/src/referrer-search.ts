import { type Descriptor, type Digest, isManifestType, MoteError, type Tag } from "@mote/core";
import { assertWithin } from "./graph-limits.js";
import type { Job } from "./job.js";

export interface FoundReferrers {
  /** Listed as referring to the subject: a claim, until the manifest itself says so. */
  readonly claimed: readonly Descriptor[];
  /** Belong to the subject by the names of their tags. */
  readonly tagged: readonly Tag[];
}

/** Asks the source what refers to manifests: signatures, attestations and the like. */
export class ReferrerSearch {
  readonly #job: Job;
  #count = 0;
  /** Listed, and left behind, with the reason. */
  readonly #left = new Map<Digest, string>();

  constructor(job: Job) {
    this.#job = job;
  }

  /** @throws MOTE_TOO_LARGE · what the source throws */
  async of(subject: Descriptor): Promise<FoundReferrers> {
    const { source } = this.#job;
    const options = this.#job.callOptions();
    const claimed: Descriptor[] = [];
    for await (const descriptor of source.referrers?.(subject, options) ?? []) {
      this.#countOne();
      if (isManifestType(descriptor.mediaType)) claimed.push(descriptor);
      else this.skip(descriptor, `it is ${descriptor.mediaType}`);
    }
    const tagged: Tag[] = [];
    for await (const tag of source.taggedReferrers?.(subject, options) ?? []) {
      this.#countOne();
      tagged.push(tag);
    }
    return { claimed, tagged };
  }

  /** Notes a referrer that is listed and cannot be moved. */
  skip({ digest }: Descriptor, reason: string): void {
    this.#left.set(digest, reason);
  }

  /** Says what is left behind, of which nobody else would hear. */
  reportSkipped(moved: ReadonlySet<Digest>): void {
    const left = [...this.#left].filter(([digest]) => !moved.has(digest));
    const [first, ...others] = left;
    if (first === undefined) return;
    const more = others.length === 0 ? "" : `, and ${others.length} more`;
    this.#job.notice(
      `${left.length === 1 ? "a referrer is" : `${left.length} referrers are`} left behind: ${first[0]} (${first[1]})${more}`,
    );
  }

  #countOne(): void {
    assertWithin("referrers", ++this.#count);
  }
}

/** What is wrong with a referrer that is listed and not there, or is not a manifest; undefined for an error of another kind. */
export function reasonToSkip(error: unknown): string | undefined {
  if (!MoteError.isInstance(error)) return undefined;
  if (error.code === "MOTE_NOT_FOUND") return "it is not there";
  return error.code === "MOTE_INVALID_MANIFEST" ? error.message : undefined;
}
