import { type Cancellable, collectChunks, MoteError, parseRecord, redactUrls } from "@mote/core";
import { Connections, type Payload } from "../http/exchange.js";
import { pause } from "../http/pause.js";
import { delayBefore, isNetworkError, isTransient } from "../http/retry.js";
import type { Credentials } from "./credentials.js";

export interface CredentialRequest extends Cancellable {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long to wait for the service, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /** Attempts after the first. Default 3. */
  readonly retries?: number;
}

const maxBytes = 256 * 1024;

/** Sends a request to a service that issues credentials, and returns the body. @throws MOTE_UNAUTHORIZED */
export async function requestCredentials(request: CredentialRequest): Promise<string> {
  const { method, url, headers = {}, body, timeoutMs = 5000, retries = 3 } = request;
  const policy = { retries, firstDelayMs: 100, longestDelayMs: 2000, longestRetryAfterMs: 10_000 };
  const connections = new Connections(timeoutMs);
  const payload: Payload | undefined = body === undefined ? undefined : { bytes: new TextEncoder().encode(body) };
  try {
    for (let attempt = 1; ; attempt++) {
      let reason: string;
      let waitMs: number | undefined;
      try {
        const signal = AbortSignal.any([
          AbortSignal.timeout(timeoutMs * 2),
          ...(request.signal ? [request.signal] : []),
        ]);
        const response = await connections.exchange({ method, url, headers, payload, signal });
        const bytes = await collectChunks(response.body, { maxBytes, what: "the response" });
        if (response.status === 200) return new TextDecoder().decode(bytes);
        reason = `status ${response.status}`;
        if (isTransient(response.status, undefined))
          waitMs = delayBefore(policy, attempt, response.header("retry-after"));
      } catch (error) {
        request.signal?.throwIfAborted();
        reason = error instanceof Error ? redactUrls(error.message) : "no connection";
        if (isNetworkError(error)) waitMs = delayBefore(policy, attempt);
      }
      if (waitMs === undefined) throw unavailable(url.host, reason);
      await pause(waitMs, request.signal);
    }
  } finally {
    connections.close();
  }
}

/** Returns the credentials of a JSON document as services and programs issue it. @param from in messages @throws MOTE_UNAUTHORIZED */
export function parseCredentialsDocument(text: string, from: string): Credentials {
  const body = parseRecord(text);
  if (body === undefined) throw unavailable(from, "the response is not a JSON object");
  const field = (name: string): string | undefined => {
    const value = body[name];
    return typeof value === "string" ? value : undefined;
  };
  return issuedCredentials(from, {
    accessKeyId: field("AccessKeyId"),
    secretAccessKey: field("SecretAccessKey"),
    // Programs call it SessionToken.
    sessionToken: field("Token") ?? field("SessionToken"),
    expiration: field("Expiration"),
  });
}

/** Checks credentials that a service has issued. @throws MOTE_UNAUTHORIZED */
export function issuedCredentials(
  from: string,
  issued: {
    readonly accessKeyId: string | undefined;
    readonly secretAccessKey: string | undefined;
    readonly sessionToken: string | undefined;
    readonly expiration: string | undefined;
  },
): Credentials {
  const { accessKeyId, secretAccessKey, sessionToken } = issued;
  if (accessKeyId === undefined || secretAccessKey === undefined) throw unavailable(from, "the response has no keys");
  const expiresMs = Date.parse(issued.expiration ?? "");
  return { accessKeyId, secretAccessKey, sessionToken, ...(Number.isNaN(expiresMs) ? {} : { expiresMs }) };
}

function unavailable(from: string, reason: string): MoteError {
  return new MoteError(
    "MOTE_UNAUTHORIZED",
    `cannot get credentials for S3 from ${from}: ${reason}; check the service or program that issues them`,
  );
}
