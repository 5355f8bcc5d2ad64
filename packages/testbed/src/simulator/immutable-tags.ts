import type { Behaviour, Reply, Report } from "./behaviour.js";
import { sha256 } from "./repositories.js";

/**
 * Makes the tags of repositories below `immutable/` immutable. `ifSame` says whether a push of the same manifest is rejected.
 */
export function immutableTags({
  reply,
  ifSame = "rejected",
  ...report
}: Report & { readonly reply: Reply; readonly ifSame?: "rejected" | "accepted" }): Behaviour {
  return {
    ...report,
    handle({ method, route, body }, next, { repositories }) {
      if (method !== "PUT" || route.kind !== "manifest") return next();
      if (!route.repository.startsWith("immutable/")) return next();
      const current = repositories.get(route.repository).tags.get(route.reference);
      const isRejected = current !== undefined && (ifSame === "rejected" || current !== sha256(body));
      return isRejected ? reply : next();
    },
  };
}
