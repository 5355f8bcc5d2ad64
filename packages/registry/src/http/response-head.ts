/** The head of an answer whose body tells its own end. */
export interface ResponseHead {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Of the body, in bytes; or it comes in chunks (RFC 9112, section 7.1). */
  readonly length: number | "chunked";
  readonly keepAlive: boolean;
}

/**
 * Reads an answer's head (RFC 9112, sections 4 and 5), given without the empty line at its end. Undefined for all that is not
 * plainly a final answer of HTTP/1.1 with one `Content-Length` and no transfer coding: who asked then asks by a client that knows more.
 */
export function parseResponseHead(text: string): ResponseHead | undefined {
  const [first = "", ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.1 ([2-5]\d\d)(?: |$)/.exec(first)?.[1]);
  // 204 and 304 have no body, whatever they say of its length.
  if (Number.isNaN(status) || status === 204 || status === 304) return undefined;
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const values = headers.get(key) ?? [];
    headers.set(key, values);
    values.push(value.trim());
  }
  // Only where it leads to is wanted of a redirect.
  if (status < 400 && status >= 300 && headers.has("location")) return { status, headers, length: 0, keepAlive: false };
  const length = bodyLength(headers.get("content-length") ?? [], headers.get("transfer-encoding") ?? []);
  if (length === undefined) return undefined;
  const connection = headers.get("connection")?.join(",").toLowerCase() ?? "";
  return { status, headers, length, keepAlive: !/\b(?:close|upgrade)\b/.test(connection) };
}

function bodyLength(lengths: readonly string[], codings: readonly string[]): ResponseHead["length"] | undefined {
  if (codings.length > 0)
    return lengths.length === 0 && codings.join().toLowerCase() === "chunked" ? "chunked" : undefined;
  return lengths.length === 1 && /^\d{1,15}$/.test(lengths[0] ?? "") ? Number(lengths[0]) : undefined;
}
