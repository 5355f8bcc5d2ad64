import {
  HeadLimit,
  type HttpRequest,
  type HttpResponse,
  longestMs,
  slowError,
  timeoutError,
} from "./http-transport.js";

/** The minimum rate of a response: a trickle of bytes would keep a request open forever. */
export interface MinimumRate {
  /** No minimum if 0. */
  readonly bytesPerSecond: number;
  /** The interval between checks, in milliseconds. */
  readonly overMs: number;
  /** Extra time to connect. */
  readonly connectMs: number;
  /** Limit for the response head of a GET or HEAD; 0: no limit. */
  readonly answerMs: number;
}

/** Returns the response with a body that fails if it is too slow. Time spent by the reader does not count. */
export function withMinimumRate(response: HttpResponse, rate: MinimumRate): HttpResponse {
  if (rate.bytesPerSecond === 0) return response;
  const { complete } = response;
  return {
    ...response,
    body: watched(response, rate),
    // A body that is late is watched for the rest of it.
    ...(complete && { complete: (limitMs: number) => complete(Math.min(limitMs, rate.overMs / 2)) }),
  };
}

async function* watched(
  { body, destroy }: HttpResponse,
  { bytesPerSecond, overMs }: MinimumRate,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  let waitedMs = 0;
  let waitingSince: number | undefined = performance.now();
  const judge = () => {
    const now = performance.now();
    if (waitingSince !== undefined) waitedMs += now - waitingSince;
    if (waitingSince !== undefined) waitingSince = now;
    // Time in which the reader did not wait does not count.
    if (waitedMs >= overMs / 2 && bytes < (bytesPerSecond * waitedMs) / 1000) {
      destroy(slowError(`${bytes} bytes came in ${Math.round(waitedMs)} ms`));
    }
    bytes = 0;
    waitedMs = 0;
  };
  const timer = setInterval(judge, overMs).unref();
  try {
    for await (const chunk of body) {
      if (waitingSince !== undefined) waitedMs += performance.now() - waitingSince;
      waitingSince = undefined;
      bytes += chunk.byteLength;
      yield chunk;
      waitingSince = performance.now();
    }
  } finally {
    clearInterval(timer);
  }
}

/** Limits the time for the response head, which may arrive byte by byte. A stream is exempt, as its producer may be slow. */
export async function withinTime(
  request: HttpRequest,
  { bytesPerSecond, overMs, connectMs, answerMs }: MinimumRate,
  exchange: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const { body, method } = request;
  const reads = method === "GET" || method === "HEAD";
  const isBound = reads ? answerMs > 0 : bytesPerSecond > 0;
  if (!isBound || (body !== undefined && !(body instanceof Uint8Array))) return exchange(request);
  // Uploads may be hashed and stored before the response.
  const writeMs = 2 * overMs + ((body?.byteLength ?? 0) / bytesPerSecond) * 1000;
  const limitMs = Math.min(connectMs + (reads ? answerMs : writeMs), longestMs);
  const headLimit = new HeadLimit();
  const timer = setTimeout(() => {
    headLimit.exceed(timeoutError(`no response within ${limitMs} ms`));
  }, limitMs).unref();
  try {
    return await exchange({ ...request, headLimit });
  } finally {
    clearTimeout(timer);
  }
}
