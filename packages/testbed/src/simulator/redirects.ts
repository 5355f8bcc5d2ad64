import { randomUUID } from "node:crypto";
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

/** Lets each signed URL be used for one request, as if it had expired by the next. Must come before `redirectsBlobs`. */
export function expiresUrls(report: Report): Behaviour {
  return {
    ...report,
    handle({ listener, url }, next, { notes }) {
      if (listener === "storage") {
        const key = `url ${url.searchParams.get("id")}`;
        const isFresh = notes.get(key) === "fresh";
        notes.delete(key);
        return isFresh ? next() : { status: 403, headers: { "content-type": "application/xml" } };
      }
      const reply = next();
      const location = String(reply.headers?.location ?? "");
      if (!location.includes("/stored/")) return reply;
      const id = randomUUID();
      notes.set(`url ${id}`, "fresh");
      return { ...reply, headers: { ...reply.headers, location: `${location}&id=${id}` } };
    },
  };
}
