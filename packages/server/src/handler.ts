import { Endpoint, type EndpointOptions } from "./endpoint.js";
import type { ApiResponse } from "./routing/response.js";

export type Handler = (request: Request) => Promise<Response>;

/**
 * Creates a function from a web `Request` to a `Response`, for use with other HTTP servers. If the body ends in an error, the server must
 * reset the connection.
 */
export function createHandler(options: EndpointOptions): Handler {
  const endpoint = new Endpoint(options);
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const { body } = request;
    const response = await endpoint.respond({
      method: request.method,
      target: `${pathname}${search}`,
      header: (name) => request.headers.get(name) ?? undefined,
      signal: request.signal,
      facts: {},
      ...(body === null ? {} : { body: () => body }),
    });
    return new Response(responseBody(response.body), { status: response.status, headers: response.headers });
  };
}

function responseBody(body: ApiResponse["body"]): ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | null {
  if (body === undefined) return null;
  if (body instanceof Uint8Array) return new Uint8Array(body);
  const chunks = body.chunks[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (!done) return controller.enqueue(value);
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        await body.close();
      },
      cancel: () => body.close(),
    },
    { highWaterMark: 0 },
  );
}
