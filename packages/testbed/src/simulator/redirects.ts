import { randomUUID } from "node:crypto";
import type { Behaviour, Report } from "./behaviour.js";

/**
 * Redirects GET of blobs to another origin, with a URL that is signed for GET. With `head: "redirected"`, HEAD is redirected too,
 * although the signature is not valid for it.
 */
export function redirectBlobs({
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

/** Expires each signed URL after one request. Must come before `redirectsBlobs`. */
export function expireUrls(report: Report): Behaviour {
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
