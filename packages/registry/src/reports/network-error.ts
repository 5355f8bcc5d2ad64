import { hasCode, MoteError, type MoteErrorCode } from "@mote/core";
import { errorCodes, type NetworkFailure, networkFailure } from "../http/network-errors.js";
import { plainSubject, type Subject } from "./subject.js";
/** Returns the error of an exchange that failed below HTTP. */
export function networkError(subject: Subject, host: string, error: unknown, what: string): MoteError {
  const failure = networkFailure(error);
  const [reason = "the connection failed"] = errorCodes(error);
  const details = { ...plainSubject(subject), host, reason };
  const isLate = failure === "timeout" || failure === "slow";
  const code: MoteErrorCode = isLate ? "MOTE_TIMEOUT" : "MOTE_UNREACHABLE";
  const via = error instanceof Error && "via" in error ? ` by way of ${error.via}` : "";
  const says = failure === "proxy" && error instanceof Error ? error.message : advice(failure, `${reason}${via}`);
  return new MoteError(code, `${host}: ${says} (requesting ${what})`, {
    details,
    cause: plain(error),
  });
}

function advice(failure: NetworkFailure, reason: string): string {
  switch (failure) {
    case "timeout":
      return `nothing came within the time allowed [${reason}]; check the network and try again, or allow more time`;
    case "slow":
      return "it sends next to nothing, for too long; try again later, or allow it to be slower";
    case "unresolved":
      return "no such host; check the registry's name, and that names can be resolved here";
    case "connect":
      return `no connection [${reason}]; check that the registry runs there, its port, and the proxy settings`;
    case "proxy":
      return `the proxy of the environment rejected the request [${reason}]; check it, or except this host by NO_PROXY`;
    case "tls":
      // RFC 8446, section 6.2: alerts come from the peer.
      if (reason.includes("_ALERT_") && /CERTIFICATE|UNKNOWN_CA/.test(reason))
        return `it requires a client certificate, or rejected the one it got [${reason}]; give the right one (cert, key)`;
      return /WRONG_VERSION|EPROTO|PACKET_LENGTH|UNKNOWN_PROTOCOL/.test(reason)
        ? `it does not speak TLS [${reason}]; if it is a plain HTTP registry, say so (--plain-http)`
        : `its certificate is not trusted [${reason}]; give the authority that signed it, or trust any certificate (insecure)`;
    case "cut":
      if (reason.startsWith("HPE_"))
        return `it does not speak HTTP [${reason}]; check that it is a registry, and whether it speaks TLS`;
      return `the connection was closed [${reason}]; try again, and check whether it speaks TLS or plain HTTP (--plain-http)`;
  }
}

/** Strips properties from a connection error: some contain the server's bytes. */
function plain(error: unknown, depth = 4): unknown {
  if (!(error instanceof Error)) return undefined;
  const cause = depth > 0 ? plain(error.cause, depth - 1) : undefined;
  const [code] = errorCodes(error);
  return Object.assign(new Error(error.message, cause === undefined ? {} : { cause }), { name: error.name, code });
}

/** Returns whether the host is down, as during a restart. */
export function isHostDown(error: unknown): error is MoteError {
  if (!hasCode(error, "MOTE_UNREACHABLE")) return false;
  const failure = networkFailure(error.cause);
  return failure === "connect" || failure === "cut" || failure === "unresolved";
}
