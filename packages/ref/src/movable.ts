import { MoteError, type Ref } from "@mote/core";
import { formatRef } from "./format-ref.js";
import { knownTransports, type TransportTable } from "./transport-table.js";

export interface MovableOptions {
  /** What the reference is to be. Default: either. */
  readonly as?: "source" | "destination" | undefined;
  /** Default: the transports that mote knows. */
  readonly transports?: TransportTable | undefined;
}

/**
 * Checks that content is moved from or to a reference's transport.
 * @throws MOTE_UNSUPPORTED_TRANSPORT with details `{ transport, instead? }`
 */
export function assertMovable(ref: Ref, { as, transports = knownTransports }: MovableOptions = {}): void {
  const { reads, writes, instead: advice } = transports.of(ref);
  if (as === "source" ? reads : as === "destination" ? writes : reads || writes) return;
  const { transport } = ref;
  const how = !reads && !writes ? "moved over" : as === "source" ? "read from" : "written to";
  const instead = advice?.(ref);
  throw new MoteError(
    "MOTE_UNSUPPORTED_TRANSPORT",
    `cannot move ${formatRef(ref, { transports })}: content is not ${how} ${transport}${instead === undefined ? "" : `; use ${instead}`}`,
    { details: { transport, ...(instead === undefined ? {} : { instead }) } },
  );
}
