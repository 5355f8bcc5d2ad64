import { MoteError, type Ref } from "@mote/core";
import { formatRef } from "./format-ref.js";

/**
 * What to use instead of a transport that is read but not moved. A transport that becomes movable loses its line here.
 */
function insteadOf(ref: Ref): string | undefined {
  const text = formatRef(ref);
  const toLayout = `skopeo copy ${text} oci:DIR:TAG, then oci:DIR:TAG`;
  switch (ref.transport) {
    case "docker":
    case "oci":
    case "oci-archive":
    case "docker-archive":
    case "dir":
      return undefined;
    case "ocidir":
      return formatRef({ ...ref, transport: "oci" });
    case "docker-daemon":
    case "containers-storage":
      return toLayout;
    case "tarball":
      return "an image layout with the files as a layer, as oci:DIR";
    case "hash":
      return `docker://REGISTRY/NAME@${ref.digest}, where it is on a registry`;
  }
}

/**
 * For whoever moves content: refuses what can only be read as a reference so far.
 * @throws MOTE_UNSUPPORTED_TRANSPORT with details `{ transport, instead }`
 */
export function assertMovable(ref: Ref): void {
  const instead = insteadOf(ref);
  if (instead === undefined) return;
  throw new MoteError(
    "MOTE_UNSUPPORTED_TRANSPORT",
    `${formatRef(ref)}: content is not moved over ${ref.transport} yet; use ${instead}`,
    { details: { transport: ref.transport, instead } },
  );
}
