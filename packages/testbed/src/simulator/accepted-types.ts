import type { Behaviour, Reply, Report } from "./behaviour.js";

/** Hides manifests whose media type contains `type` unless `Accept` names it. */
export function requiresAccept({
  type,
  reply,
  ...report
}: Report & { readonly type: string; readonly reply: Reply }): Behaviour {
  return {
    ...report,
    handle({ method, route, headers }, next) {
      const found = next();
      const stored = String(found.headers?.["content-type"] ?? "");
      const isRead = route.kind === "manifest" && method !== "PUT" && found.status === 200;
      return isRead && stored.includes(type) && !headers.accept?.includes(stored) ? reply : found;
    },
  };
}
