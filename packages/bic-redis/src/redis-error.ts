import { MoteError, type MoteErrorCode } from "@mote/core";

/** The first word of an error of Redis, with the code and the advice for it. */
const replies: Readonly<Record<string, readonly [code: MoteErrorCode, what: string]>> = {
  NOAUTH: ["MOTE_UNAUTHORIZED", "requires a login; put USER:PASSWORD@ into its URL"],
  WRONGPASS: ["MOTE_UNAUTHORIZED", "rejected the user name or password; check its URL"],
  NOPERM: [
    "MOTE_FORBIDDEN",
    "does not permit the user a command or key; see the README for the permissions that are needed",
  ],
  OOM: ["MOTE_NO_SPACE", "has reached its maxmemory; raise it, or set a maxmemory-policy that evicts keys"],
  READONLY: ["MOTE_UNWRITABLE", "is a read-only replica; use the address of the master"],
  MISCONF: ["MOTE_UNWRITABLE", "cannot save to its disk; check its log"],
  NOREPLICAS: ["MOTE_UNWRITABLE", "has too few replicas; retry later"],
  LOADING: ["MOTE_UNREACHABLE", "is loading its data; retry later"],
  BUSY: ["MOTE_UNREACHABLE", "is running another script; retry later"],
  MASTERDOWN: ["MOTE_UNREACHABLE", "has lost its master; retry later"],
  CLUSTERDOWN: ["MOTE_UNREACHABLE", "has lost nodes of its cluster; retry later"],
  TRYAGAIN: ["MOTE_UNREACHABLE", "is moving keys between nodes; retry later"],
};

/** Returns the error with a code. `name` is the address of Redis without credentials. */
export function redisError(name: string, cause: unknown): unknown {
  if (MoteError.isInstance(cause) || !(cause instanceof Error)) return cause;
  const details = { server: name };
  const version = /\bFORMAT (\S+)/.exec(cause.message)?.[1];
  if (version !== undefined) return unsupportedFormat(name, version);
  // An error inside a script has its word in the middle of the text on older servers.
  const word = Object.keys(replies).find((each) => new RegExp(`(^|\\s|-)${each}\\s`).test(`${cause.message} `));
  const [code, what] = replies[word ?? ""] ?? [];
  if (code !== undefined) return new MoteError(code, `${name} ${what}`, { cause, details });
  if (cause.name === "ReplyError" || cause.name === "ParserError") {
    return new MoteError("MOTE_IO", `${name} responded with an error: ${cause.message}`, { cause, details });
  }
  return unreachable(name, `cannot be reached: ${cause.message}`, cause);
}

export function unreachable(name: string, why: string, cause?: unknown): MoteError {
  return new MoteError("MOTE_UNREACHABLE", `${name} ${why}; check that it runs and its address`, {
    cause,
    details: { server: name },
  });
}

export function unsupportedFormat(name: string, version: string): MoteError {
  return new MoteError(
    "MOTE_UNSUPPORTED_FORMAT",
    `${name} has facts of format version ${version}, which this release does not support; use another prefix or a newer release`,
    { details: { server: name, version } },
  );
}
