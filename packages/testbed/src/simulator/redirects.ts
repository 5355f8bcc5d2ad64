import type { Behaviour, Report } from "./behaviour.js";

/**
 * Sends readers of blobs to another origin, with a URL that is signed for GET. `head`: whether HEAD is redirected there, too, where
 * that signature does not fit.
 */
export function redirectsBlobs({
  status = 307,
  head = "direct",
  ...report
}: Report & { readonly status?: number; readonly head?: "direct" | "redirected" }): Behaviour {
  return {
    ...report,
    handle({ method, route }, next, { origins }) {
      const reply = next();
      const isRead = method === "GET" || (method === "HEAD" && head === "redirected");
      if (route.kind !== "blob" || !isRead || reply.status >= 300) return reply;
      return { status, headers: { location: `${origins.storage}/stored/${route.digest}?signed=GET` } };
    },
  };
}
