import type { BlobOptions, Descriptor, FleetMemberStatus, MoteReader } from "@mote/core";
import { BoundedMap, CircuitBreaker, hasCode } from "@mote/core";

/** Reads blobs from the other members of a fleet. */
export interface FleetMembers {
  /**
   * Opens a blob that a member has stored or is fetching, from `start` on. The chunks are not verified, and end where the blob ends.
   * @param member its URL, as in a lease: it is not trusted
   * @throws MOTE_NOT_FOUND if it neither has nor fetches the blob · MOTE_TIMEOUT if it sends nothing for a while · MOTE_UNREACHABLE · MOTE_REGISTRY
   */
  blob(member: string, descriptor: Descriptor, options: BlobOptions): Promise<MoteReader>;
}

/** Members that are remembered. */
const maxMembers = 1_000;

interface Counts {
  receivedBytes: number;
  failures: number;
  hasRejected: boolean;
  readonly breaker: CircuitBreaker;
}

/** Counts what the members have sent, and knows which cannot be reached. */
export class MemberCounts {
  readonly #members = new BoundedMap<string, Counts>(maxMembers);

  get status(): FleetMemberStatus[] {
    return [...this.#members].map(([url, { receivedBytes, failures }]) => ({ url, receivedBytes, failures }));
  }

  /** Returns whether to ask a member: not for a while after it could not be reached several times. If so, call `ended` in the end. */
  tryRequest(member: string): boolean {
    return this.#of(member).breaker.tryRequest();
  }

  /** `isReached`: whether the member has sent anything. */
  ended(member: string, { isReached }: { readonly isReached: boolean }): void {
    if (!isReached) this.#of(member).breaker.abandoned();
  }

  received(member: string, bytes: number): void {
    const counts = this.#of(member);
    counts.receivedBytes += bytes;
    counts.breaker.succeeded();
  }

  failed(member: string, error?: unknown): void {
    const counts = this.#of(member);
    counts.failures++;
    if (hasCode(error, "MOTE_UNREACHABLE", "MOTE_TIMEOUT")) counts.breaker.failed();
    else counts.breaker.succeeded();
  }

  /** Counts that a member has rejected the token. Returns whether it is the first time. */
  rejected(member: string): boolean {
    const counts = this.#of(member);
    const isFirst = !counts.hasRejected;
    counts.hasRejected = true;
    return isFirst;
  }

  #of(member: string): Counts {
    const counts = this.#members.get(member) ?? newCounts();
    this.#members.set(member, counts);
    return counts;
  }
}

function newCounts(): Counts {
  const breaker = new CircuitBreaker(() => performance.now());
  return { receivedBytes: 0, failures: 0, hasRejected: false, breaker };
}
