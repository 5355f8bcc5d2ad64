import {
  type Cancellable,
  type Digest,
  isRangedWriter,
  type Mote,
  type MoteCache,
  mediaTypes,
  type ResumableWriter,
  type TagStore,
  type Uploads,
} from "@mote/core";
import { type CommitSteps, commit, RangedTierWriter, ResumableTierWriter } from "./tier-writer.js";

/** What the optional methods of a tiered cache need beyond its near cache. */
export interface ForwardingOptions {
  readonly tags: TagStore | undefined;
  /** The steps around a commit that is then written to the far tier; undefined if nothing is. */
  readonly steps: CommitSteps | undefined;
  /** Fetches a mote into the near cache if the far tier has it. Returns whether it does. */
  readonly fillIfFound: (digest: Digest, options?: Cancellable) => Promise<boolean>;
}

/** The optional methods that concern the near cache alone. */
const unchanged = [
  "motes",
  "removeClosure",
  "verify",
  "quarantined",
  "followMote",
  "lease",
  "temporaryFolder",
] as const;

/** Returns the optional methods of a tiered cache: those that its near cache has. */
export function forwardedCapabilities(
  near: MoteCache,
  { tags, steps, fillIfFound }: ForwardingOptions,
): Partial<MoteCache> {
  const { linkTo, verifyMote, resumeMote, leadMote, pinned, membership, freshness, uploads } = near;
  const wrap = (writer: ResumableWriter, mote: Mote) => {
    if (steps === undefined) return writer;
    if (isRangedWriter(writer)) return new RangedTierWriter(writer, mote, steps);
    return new ResumableTierWriter(writer, mote, steps);
  };
  return {
    ...boundMethods(near),
    ...(tags && { tags }),
    ...(pinned && { pinned }),
    ...(membership && { membership }),
    ...(freshness && { freshness }),
    ...(uploads && { uploads: steps === undefined ? uploads : writtenUploads(uploads, steps) }),
    ...(linkTo && {
      linkTo: async (digest, target, options) =>
        (await linkTo.call(near, digest, target, options)) ||
        ((await fillIfFound(digest, options)) && (await linkTo.call(near, digest, target, options))),
    }),
    ...(verifyMote && {
      verifyMote: async (digest, options) =>
        (await verifyMote.call(near, digest, options)) || (await fillIfFound(digest, options)),
    }),
    ...(resumeMote && {
      resumeMote: async (mote, options) => wrap(await resumeMote.call(near, mote, options), mote),
    }),
    ...(leadMote && {
      leadMote: async (mote, options) => {
        const writer = await leadMote.call(near, mote, options);
        return writer && wrap(writer, mote);
      },
    }),
  };
}

function boundMethods(near: MoteCache): Partial<MoteCache> {
  return Object.fromEntries(
    unchanged.flatMap((name) => {
      const method = near[name];
      return method === undefined ? [] : [[name, method.bind(near)]];
    }),
  );
}

function writtenUploads(uploads: Uploads, steps: CommitSteps): Uploads {
  return {
    begin: uploads.begin.bind(uploads),
    status: uploads.status.bind(uploads),
    append: uploads.append.bind(uploads),
    finish: (repository, id, digest, options) =>
      commit({ digest, mediaType: mediaTypes.octetStream }, steps, () =>
        uploads.finish(repository, id, digest, options),
      ),
    cancel: uploads.cancel.bind(uploads),
    expire: uploads.expire.bind(uploads),
  };
}
