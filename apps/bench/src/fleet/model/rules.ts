/** What the model assumes of mote, in one place: each rule with its number and the part of mote that it stands for. */
export interface Rule {
  readonly does: string;
  readonly standsFor: string;
}

/** Seconds after which a lease lapses, and after which its holder renews it. */
export const leaseSeconds = 15;
export const renewSeconds = 5;
/** Seconds for which a mote that has stored a blob is asked for it. */
export const storedSeconds = 24 * 3_600;
/** Seconds for which a tag is believed. */
export const freshSeconds = 60;
/** Seconds for which the answer of the tier is used again. */
export const answerSeconds = 10;
/** Motes that are written to the tier at once. */
export const uploads = 4;
/** Layers that a client requests at once, as containerd and Docker do. */
export const layersAtOnce = 3;

export const rules: readonly Rule[] = [
  {
    does: "A mote serves what it has on its disk. What it lacks it fetches once, however many clients ask, and they read it while it arrives.",
    standsFor: "`fills.ts` and `fill-reader.ts` of `@mote/mirror`",
  },
  {
    does: `A tag is checked at the registry once in ${freshSeconds} s by each mote, with one request for all clients that wait.`,
    standsFor: "`tag-checks.ts` of `@mote/mirror`",
  },
  {
    does: `Before it fetches, a mote asks the bucket, whose answer it uses again for ${answerSeconds} s. What the bucket has is read from there.`,
    standsFor: "`far-tier.ts` of `@mote/tiered`",
  },
  {
    does:
      `Otherwise it acquires the lease of the digest, which lapses after ${leaseSeconds} s and is renewed every ${renewSeconds} s. The holder fetches from the ` +
      "registry. The lease is the real `MemoryFetchLeases`, on the clock of the simulation.",
    standsFor: "`fetch-leases.ts` and `memory-fetch-leases.ts` of `@mote/core`",
  },
  {
    does:
      "Others read from the holder, from the first byte and not faster than the bytes arrive there. When it has stored the blob, it extends the lease by " +
      `${storedSeconds / 3_600} hours, in which those that do not find the blob in the bucket read it from there.`,
    standsFor: "`fleet/fleet-fetch.ts` of `@mote/mirror`",
  },
  {
    does:
      "If the holder dies, its followers notice with the next request and acquire its lease by the token. The first becomes the holder and continues " +
      "at the byte that it has; the others follow it at theirs.",
    standsFor: "`fleet/fleet-fetch.ts` of `@mote/mirror`",
  },
  {
    does: `The holder writes the blob to the bucket once, ${uploads} blobs at a time. What waits on a disk that survives is written later.`,
    standsFor: "`write-back.ts` of `@mote/tiered`",
  },
  {
    does: "After three failures the bucket, or the store of the leases, gets no requests for 1 s, then longer, up to a minute. Without leases a mote fetches alone.",
    standsFor: "`CircuitBreaker` of `@mote/core` (the real one), `fleet/guarded-leases.ts` of `@mote/mirror`",
  },
  {
    does: "A mote removes what was used least recently when its disk is full.",
    standsFor: "`--max-size` of `mote serve`",
  },
  {
    does: "A mote that restarts with its disk resumes fetches at the byte that it has.",
    standsFor: "`resumeMote` of `@mote/fs`",
  },
  {
    does:
      `A client has a list of all motes in random order. It requests the manifest, then ${layersAtOnce} layers at a time, and none that it has. If the first is down, it continues at its byte with the next ` +
      "one, and at the registry if there is none.",
    standsFor: "containerd with a list of mirrors; not a part of mote",
  },
];
