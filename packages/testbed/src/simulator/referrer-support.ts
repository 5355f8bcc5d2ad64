import type { Behaviour, Reply, Report } from "./behaviour.js";
import { errorReply, withHeaders } from "./replies.js";

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
