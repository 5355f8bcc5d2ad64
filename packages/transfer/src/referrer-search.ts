import { type Descriptor, type Digest, isManifestType, MoteError, type Tag } from "@mote/core";
import { assertWithin } from "./graph-limits.js";
import type { Job } from "./job.js";

export interface FoundReferrers {
  /** Listed by the source. Each must be verified to refer to the subject. */
  readonly listed: readonly Descriptor[];
  /** Refer to the subject by their tags. */
  readonly tagged: readonly Tag[];
}

/** Finds the referrers of manifests at the source. */
export class ReferrerSearch {
  readonly #job: Job;
  #count = 0;
  /** Referrers that cannot be moved, with the reason. */
  readonly #skipped = new Map<Digest, string>();

  constructor(job: Job) {
    this.#job = job;
  }

  /** Finds the referrers of `subject`. @throws MOTE_TOO_LARGE · what the source throws */
  async of(subject: Descriptor): Promise<FoundReferrers> {
    const { source } = this.#job;
    const options = this.#job.callOptions();
    const listed: Descriptor[] = [];
    for await (const descriptor of source.referrers?.(subject, options) ?? []) {
      this.#countOne();
      if (isManifestType(descriptor.mediaType)) listed.push(descriptor);
      else this.skip(descriptor, `its media type is ${descriptor.mediaType}`);
    }
    const tagged: Tag[] = [];
    for await (const tag of source.taggedReferrers?.(subject, options) ?? []) {
      this.#countOne();
      tagged.push(tag);
    }
    return { listed, tagged };
  }

  /** Records a referrer that cannot be moved. */
  skip({ digest }: Descriptor, reason: string): void {
    this.#skipped.set(digest, reason);
  }

  reportSkipped(moved: ReadonlySet<Digest>): void {
    const skipped = [...this.#skipped].filter(([digest]) => !moved.has(digest));
    const [first, ...others] = skipped;
    if (first === undefined) return;
    const more = others.length === 0 ? "" : `, and ${others.length} more`;
    this.#job.notice(
      `skipped ${skipped.length === 1 ? "a referrer" : `${skipped.length} referrers`}: ${first[0]} (${first[1]})${more}`,
    );
  }

  #countOne(): void {
    assertWithin("referrers", ++this.#count);
  }
}

/** Returns why a referrer is skipped if it does not exist or is not a manifest; undefined for other errors. */
export function reasonToSkip(error: unknown): string | undefined {
  if (!MoteError.isInstance(error)) return undefined;
  if (error.code === "MOTE_NOT_FOUND") return "it does not exist";
  return error.code === "MOTE_INVALID_MANIFEST" ? error.message : undefined;
}
