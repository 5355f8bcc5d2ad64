import type { Behaviour, Reply, Report } from "./behaviour.js";
import { errorReply, jsonReply, withHeaders } from "./replies.js";
import { readJson } from "./repositories.js";

/** Disables the referrers API, so that clients use the referrers tag. With `sendsSubject`, `OCI-Subject` is still sent. */
export function noReferrersApi({
  reply = errorReply(404, "NOT_FOUND"),
  sendsSubject = false,
  ...report
}: Report & { readonly reply?: Reply; readonly sendsSubject?: boolean }): Behaviour {
  return {
    ...report,
    handle({ route }, next) {
      if (route.kind === "referrers") return reply;
      return sendsSubject ? next() : withHeaders(next(), { "oci-subject": undefined });
    },
  };
}

/** Sends referrers in pages of `size`, each with a link to the next. */
export function pageReferrers({ size, ...report }: Report & { readonly size: number }): Behaviour {
  return {
    ...report,
    handle({ route, url }, next) {
      const reply = next();
      if (route.kind !== "referrers" || reply.status !== 200) return reply;
      const { manifests, ...index } = readJson(Buffer.from(reply.body ?? ""));
      const all = Array.isArray(manifests) ? manifests : [];
      const start = Number(url.searchParams.get("start") ?? 0);
      const end = start + size;
      const link = end < all.length ? { link: `<${url.pathname}?start=${end}>; rel="next"` } : {};
      return jsonReply(200, { ...index, manifests: all.slice(start, end) }, { ...reply.headers, ...link });
    },
  };
}
