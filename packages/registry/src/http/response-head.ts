/** The head of a response whose body has an announced length. */
export interface ResponseHead {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Of the body, in bytes. */
  readonly length: number;
  readonly keepAlive: boolean;
}

/**
 * Parses the head of a response (RFC 9112, sections 4 and 5). Undefined unless it is a final HTTP/1.1 response with one `Content-Length` and no
 * transfer coding: node:http handles the others.
 * @param options.hasBody false for a response to HEAD, which needs no length
 */
export function parseResponseHead(
  text: string,
  { hasBody = true }: { readonly hasBody?: boolean } = {},
): ResponseHead | undefined {
  const [first = "", ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.1 ([2-5]\d\d)(?: |$)/.exec(first)?.[1]);
  // 204 and 304 have no body, whatever `Content-Length` says.
  if (Number.isNaN(status) || (hasBody && (status === 204 || status === 304))) return undefined;
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const values = headers.get(key) ?? [];
    headers.set(key, values);
    values.push(value.trim());
  }
  const connection = headers.get("connection")?.join(",").toLowerCase() ?? "";
  const keepAlive = !/\b(?:close|upgrade)\b/.test(connection);
  if (!hasBody) return { status, headers, length: 0, keepAlive };
  const lengths = headers.get("content-length") ?? [];
  const hasLength = !headers.has("transfer-encoding") && lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? "");
  // Only a redirect's location is needed.
  const isRedirect = status < 400 && status >= 300 && headers.has("location");
  if (!hasLength) return isRedirect ? { status, headers, length: 0, keepAlive: false } : undefined;
  return { status, headers, length: Number(lengths[0]), keepAlive };
}
