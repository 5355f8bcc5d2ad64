import { type Descriptor, MoteError, type Ref } from "@mote/core";

/** Who reads the error wants to know of what it speaks, and of which place, where that is to blame. */
export function namedError(error: unknown, { digest }: Descriptor, from: Ref | undefined): unknown {
  if (!MoteError.isInstance(error)) return error;
  const place = from && placeName(from);
  const isNamed = error.details !== undefined && "digest" in error.details;
  if (isNamed && place === undefined) return error;
  const message = place === undefined ? error.message : placed(error.message, digest, place);
  const { registry, repository } = from?.transport === "docker" ? from : {};
  const origin =
    place === undefined ? {} : { from: place, ...(registry === undefined ? {} : { registry, repository }) };
  return new MoteError(error.code, message, { cause: error, details: { ...origin, ...error.details, digest } });
}

function placed(message: string, digest: string, place: string): string {
  const about = message.includes(digest) ? message : `${digest}: ${message}`;
  return message.includes(place) ? about : `${about} (from ${place})`;
}

function placeName(ref: Ref): string {
  return ref.transport === "docker" ? `${ref.registry}/${ref.repository}` : `${ref.transport}:${ref.path}`;
}
