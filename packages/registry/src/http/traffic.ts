import type { HttpRequest, HttpResponse } from "./http-transport.js";

/** Observes the requests of a repository, to count them. */
export interface Traffic {
  /**
   * Called when a request to the registry or a mirror of it has ended or its response begins: also for each that is repeated or
   * redirected. Requests to token services and to the targets of redirects are not reported.
   */
  onResponse(response: ObservedResponse): void;
  /** Called with the number of bytes of each chunk of a manifest or blob, as they were sent. */
  onReceived(bytes: number): void;
}

export interface ObservedResponse {
  /** Undefined if there was no response. */
  readonly status: number | undefined;
  /** Returns a header's first value; names in lower case. */
  header(name: string): string | undefined;
}

/** Sends a request and reports its response, unless it is sent to another host than the registry. */
export async function observed(
  exchange: Promise<HttpResponse>,
  { crossOrigin }: Pick<HttpRequest, "crossOrigin">,
  traffic: Traffic | undefined,
): Promise<HttpResponse> {
  if (traffic === undefined || crossOrigin) return exchange;
  try {
    const response = await exchange;
    traffic.onResponse(response);
    return response;
  } catch (error) {
    traffic.onResponse({ status: undefined, header: () => undefined });
    throw error;
  }
}

/** Counts the bytes of a manifest or blob while they are read. */
export function counted<Response extends HttpResponse>(
  response: Response,
  path: string | URL,
  traffic: Traffic | undefined,
): Response {
  const isContent = typeof path === "string" && /^(manifests|blobs)\//.test(path);
  if (traffic === undefined || !isContent || (response.status !== 200 && response.status !== 206)) return response;
  const { body, complete } = response;
  const countedComplete = async (limitMs: number) => {
    const bytes = await complete?.(limitMs);
    if (bytes !== undefined) traffic.onReceived(bytes.byteLength);
    return bytes;
  };
  return { ...response, body: countedChunks(body, traffic), ...(complete && { complete: countedComplete }) };
}

async function* countedChunks(chunks: AsyncIterable<Uint8Array>, traffic: Traffic) {
  for await (const chunk of chunks) {
    traffic.onReceived(chunk.byteLength);
    yield chunk;
  }
}
