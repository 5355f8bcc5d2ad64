import { type BlobOptions, type Descriptor, MoteError, type MoteReader, ReadOnceReader } from "@mote/core";
import type { FleetMembers } from "@mote/mirror";
import type { ConnectionOptions, HttpClient } from "@mote/registry";

/** Time limits in milliseconds: members are near, and another one can take over. */
const memberLimits = { connectTimeoutMs: 5_000, answerTimeoutMs: 20_000, idleTimeoutMs: 20_000, concurrency: 64 };
/** Bytes of a body from which a connection of its own is worth it. */
const bulkBytes = 256 * 1024;

export interface HttpMembersOptions {
  /** The URL of this member. */
  readonly url: string;
  readonly secret: () => Promise<string>;
  readonly connections: ConnectionOptions;
  /** Default: 5 s to connect, 20 s without a byte. */
  readonly limits?:
    | Pick<ConnectionOptions, "connectTimeoutMs" | "answerTimeoutMs" | "idleTimeoutMs" | "concurrency">
    | undefined;
}

/** Reads blobs from other members over HTTP, with a token of the fleet for each request. */
export class HttpMembers implements FleetMembers, AsyncDisposable {
  readonly #options: HttpMembersOptions;
  #client: HttpClient | undefined;

  constructor(options: HttpMembersOptions) {
    this.#options = options;
  }

  async blob(member: string, descriptor: Descriptor, options: BlobOptions = {}): Promise<MoteReader> {
    const { digest, size } = descriptor;
    const { start = 0, reuse, signal } = options;
    const url = blobUrl(member, descriptor);
    const headers = { authorization: `Bearer ${await this.#token(descriptor)}`, range: `bytes=${start}-${size - 1}` };
    const bulk = size - start >= bulkBytes;
    const client = await this.#open();
    const response = await client.get(url, { headers, bulk, reuse, signal, what: `blob ${digest}` });
    if (response.status === 206 && begins(response.header("content-range"), start, size)) {
      return new MemberReader(descriptor, response);
    }
    response.discard();
    const details = { member: url.host, status: response.status, digest };
    if (response.status === 404) {
      throw new MoteError("MOTE_NOT_FOUND", `${url.host} neither has ${digest} nor fetches it`, { details });
    }
    const code = response.status === 401 ? "MOTE_UNAUTHORIZED" : "MOTE_REGISTRY";
    const advice =
      code === "MOTE_UNAUTHORIZED" ? "; check that all members have the same secret and synchronized clocks" : "";
    throw new MoteError(code, `${url.host} responded to another member of its fleet with ${response.status}${advice}`, {
      details,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
  }

  async #token({ digest }: Descriptor): Promise<string> {
    const { signFleetToken } = await import("@mote/server");
    const { url, secret } = this.#options;
    return signFleetToken({ secret: await secret(), digest, member: url });
  }

  async #open(): Promise<HttpClient> {
    const { HttpClient } = await import("@mote/registry");
    const { connections, limits = memberLimits } = this.#options;
    this.#client ??= new HttpClient({ ...connections, ...limits });
    return this.#client;
  }
}

/** Returns whether a response has the bytes from `start` to the end. */
function begins(range: string | undefined, start: number, size: number): boolean {
  return range?.replace(/\/(\*|\d+)$/, "") === `bytes ${start}-${size - 1}`;
}

/** The URL comes from the store of leases. @throws MOTE_REGISTRY */
function blobUrl(member: string, { digest }: Descriptor): URL {
  const url = URL.canParse(member) ? new URL(member) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new MoteError("MOTE_REGISTRY", "the lease of a blob does not have an http or https URL", {
      details: { digest },
    });
  }
  return new URL(`${url.pathname.replace(/\/+$/, "")}/api/fleet/blobs/${digest}`, url.origin);
}

class MemberReader extends ReadOnceReader {
  readonly #response: { readonly body: AsyncIterable<Uint8Array>; discard(): void };

  constructor(descriptor: Descriptor, response: { readonly body: AsyncIterable<Uint8Array>; discard(): void }) {
    super(descriptor);
    this.#response = response;
  }

  protected chunks(): AsyncIterator<Uint8Array, void, undefined> {
    return this.#response.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, void, undefined>;
  }

  protected override release(): void {
    this.#response.discard();
  }
}
