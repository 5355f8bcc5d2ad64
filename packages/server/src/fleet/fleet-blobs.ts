import { type Digest, type MoteCache, type MoteFollower, mediaTypes, parseDigest } from "@mote/core";
import { completeChunks } from "../blobs/complete-chunks.js";
import { checkDigest } from "../routing/checks.js";
import { identityHeaders } from "../routing/conditions.js";
import { type ApiResponse, ErrorResponse, type RequestContext } from "../routing/response.js";
import type { Route, RoutedRequest } from "../routing/router.js";
import { verifyFleetToken } from "./fleet-token.js";

/** How a server is one of a fleet of mirrors. */
export interface ServedFleet {
  /** The URL at which the other members reach this one. */
  readonly url: string;
  /** Returns the secret that the members share. It rejects while the secret is not known. */
  readonly secret: () => Promise<string>;
}

const prefix = "/api/fleet/blobs/";

/**
 * Serves blobs to the other members of a fleet: those that are stored, and those that this member is fetching, while they arrive. It never starts
 * a fetch. A request needs a token of the fleet for the blob; no other credentials are accepted.
 */
export class FleetBlobs {
  readonly #source: Pick<MoteCache, "followMote">;
  readonly #fleet: ServedFleet;

  constructor(source: Pick<MoteCache, "followMote">, fleet: ServedFleet) {
    this.#source = source;
    this.#fleet = fleet;
  }

  get route(): Route {
    const respond = (routed: RoutedRequest) => this.#respond(routed);
    return { method: "GET", path: `${prefix}<reference>`, checksAccess: true, respond };
  }

  /** Finds out whether a member sends the request, which is then in its facts. */
  async identify(request: RequestContext): Promise<boolean> {
    const { target, facts } = request;
    if (!target.startsWith(prefix)) return false;
    const [, token] = /^bearer +([\w.-]{1,4096})$/i.exec(request.header("authorization") ?? "") ?? [];
    const digest = digestIn(target);
    if (token === undefined || digest === undefined) return false;
    facts.member ??= await verifyFleetToken(token, { secret: await this.#secret(), digest });
    return facts.member !== undefined;
  }

  async #respond({ reference, request }: RoutedRequest): Promise<ApiResponse> {
    const digest = checkDigest(reference);
    if (!(request.facts.member !== undefined || (await this.identify(request)))) throw noToken();
    // A member that reaches itself would wait for its own bytes.
    if (request.facts.member === this.#fleet.url) throw unknownBlob(digest);
    const { start, end } = readRange(request.header("range"));
    const follower = await this.#source.followMote?.(digest, { start, signal: request.signal });
    if (follower === undefined) throw unknownBlob(digest);
    const headers = { "content-type": mediaTypes.octetStream, "accept-ranges": "bytes", ...identityHeaders(digest) };
    if (request.method === "HEAD") {
      await follower.close();
      return { status: 200, headers };
    }
    if (end === undefined) return { status: 200, headers, body: bodyOf(follower, follower) };
    // The size of a blob that is being fetched may not be known here.
    const range = { "content-range": `bytes ${start}-${end - 1}/*`, "content-length": String(end - start) };
    const body = bodyOf(follower, completeChunks(follower, end - start));
    return { status: 206, headers: { ...headers, ...range }, body };
  }

  async #secret(): Promise<string> {
    try {
      return await this.#fleet.secret();
    } catch {
      throw new ErrorResponse(503, "UNKNOWN", "the secret of the fleet is not known yet; try again later");
    }
  }
}

/** Reads a range with both ends. Any other is ignored, so that the complete blob is sent (RFC 9110, section 14.2). */
function readRange(header: string | undefined): { readonly start: number; readonly end: number | undefined } {
  const [, first, last] = /^bytes=(\d{1,16})-(\d{1,16})$/i.exec(header?.trim() ?? "") ?? [];
  const [start, end] = [Number(first), Number(last) + 1];
  const isValid = first !== undefined && Number.isSafeInteger(end) && start < end;
  return isValid ? { start, end } : { start: 0, end: undefined };
}

function bodyOf(follower: MoteFollower, chunks: AsyncIterable<Uint8Array>) {
  return { chunks, close: () => follower.close() };
}

function digestIn(target: string): Digest | undefined {
  try {
    return parseDigest(decodeURIComponent(target.slice(prefix.length)));
  } catch {
    return undefined;
  }
}

function noToken(): ErrorResponse {
  const headers = { "www-authenticate": 'Bearer realm="mote fleet"' };
  return new ErrorResponse(401, "UNAUTHORIZED", "only members of the fleet may read here", { headers });
}

function unknownBlob(digest: Digest): ErrorResponse {
  const message = "this member neither has the blob nor fetches it";
  return new ErrorResponse(404, "BLOB_UNKNOWN", message, { detail: { digest } });
}
