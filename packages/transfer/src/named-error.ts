import { type Descriptor, formatLocation, MoteError, type Ref } from "@mote/core";

/** Adds the digest and, if given, the source location to the message and details of an error. */
export function namedError(error: unknown, { digest }: Descriptor, from: Ref | undefined): unknown {
  if (!MoteError.isInstance(error)) return error;
  const location = from && formatLocation(from);
  const isNamed = error.details !== undefined && "digest" in error.details;
  if (isNamed && location === undefined) return error;
  const message = location === undefined ? error.message : withLocation(error.message, digest, location);
  const { registry, repository } = from?.transport === "docker" ? from : {};
  const origin =
    location === undefined ? {} : { from: location, ...(registry === undefined ? {} : { registry, repository }) };
  return new MoteError(error.code, message, { cause: error, details: { ...origin, ...error.details, digest } });
}

function withLocation(message: string, digest: string, location: string): string {
  const about = message.includes(digest) ? message : `${digest}: ${message}`;
  return message.includes(location) ? about : `${about} (from ${location})`;
}
