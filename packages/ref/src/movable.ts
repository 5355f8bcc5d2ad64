import { MoteError, type Ref } from "@mote/core";
import { formatRef } from "./format-ref.js";
import { knownTransports, type TransportTable } from "./transport-table.js";

export interface MovableOptions {
  /** How the reference is used. Default: either. */
  readonly as?: "source" | "destination" | undefined;
  /** Default: `knownTransports`. */
  readonly transports?: TransportTable | undefined;
}

/**
 * Checks that content can be copied from or to the transport of a reference.
 * @throws MOTE_UNSUPPORTED_TRANSPORT with details `{ transport, instead? }`
 */
export function assertMovable(ref: Ref, { as, transports = knownTransports }: MovableOptions = {}): void {
  const { reads, writes, instead: advice } = transports.of(ref);
  if (as === "source" ? reads : as === "destination" ? writes : reads || writes) return;
  const { transport } = ref;
  const how = !reads && !writes ? "copied over" : as === "source" ? "read from" : "written to";
  const instead = advice?.(ref);
  throw new MoteError(
    "MOTE_UNSUPPORTED_TRANSPORT",
    `cannot copy ${formatRef(ref, { transports })}: content cannot be ${how} ${transport}${instead === undefined ? "" : `; use ${instead}`}`,
    { details: { transport, ...(instead === undefined ? {} : { instead }) } },
  );
}
