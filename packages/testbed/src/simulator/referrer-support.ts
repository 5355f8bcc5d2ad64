import type { Behaviour, Reply, Report } from "./behaviour.js";
import { errorReply, jsonReply, withHeaders } from "./replies.js";
import { readJson } from "./repositories.js";

/** No referrers API, so that a client keeps the referrers tag. `saysSubject`: `OCI-Subject` is sent nevertheless. */
export function noReferrersApi({
  reply = errorReply(404, "NOT_FOUND"),
  saysSubject = false,
  ...report
}: Report & { readonly reply?: Reply; readonly saysSubject?: boolean }): Behaviour {
  return {
    ...report,
    handle({ route }, next) {
      if (route.kind === "referrers") return reply;
      return saysSubject ? next() : withHeaders(next(), { "oci-subject": undefined });
    },
  };
}

/** The list of referrers comes in pages of so many, each with a link to the next. */
export function pagesReferrers({ size, ...report }: Report & { readonly size: number }): Behaviour {
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
