import type { Behaviour, Reply, Report } from "./behaviour.js";
import { sha256 } from "./repositories.js";

/**
 * In repositories below `immutable/`, a tag that is there stays as it is: that is a setting of each repository. `same`: whether the
 * very same manifest is refused, too.
 */
export function immutableTags({
  reply,
  same = "refused",
  ...report
}: Report & { readonly reply: Reply; readonly same?: "refused" | "accepted" }): Behaviour {
  return {
    ...report,
    handle({ method, route, body }, next, { repositories }) {
      if (method !== "PUT" || route.kind !== "manifest") return next();
      if (!route.repository.startsWith("immutable/")) return next();
      const current = repositories.get(route.repository).tags.get(route.reference);
      const isRefused = current !== undefined && (same === "refused" || current !== sha256(body));
      return isRefused ? reply : next();
    },
  };
}
