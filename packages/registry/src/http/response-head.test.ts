import { expect, it } from "vitest";
import { parseResponseHead } from "./response-head.js";

it("parses a plain head: names in lower case, values in order and trimmed", () => {
  const head = parseResponseHead("HTTP/1.1 206 Partial Content\r\nContent-Length:  12 \r\nX-A: 1\r\nx-a: 2\r\nEmpty:");
  expect(head).toMatchObject({ status: 206, length: 12, keepAlive: true });
  expect([...(head?.headers ?? [])]).toEqual([
    ["content-length", ["12"]],
    ["x-a", ["1", "2"]],
    ["empty", [""]],
  ]);
});

it("does not keep a connection that the server closes", () => {
  expect(parseResponseHead("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nConnection: Close")?.keepAlive).toBe(false);
});

it("keeps the connection of a redirect whose body has a length", () => {
  const head = parseResponseHead("HTTP/1.1 307 Moved\r\nLocation: /there\r\nContent-Length: 20");
  expect(head).toMatchObject({ status: 307, length: 20, keepAlive: true });
});

it("reads only the head of a redirect whose body has no length", () => {
  const head = parseResponseHead("HTTP/1.1 307 Moved\r\nLocation: /there\r\nTransfer-Encoding: chunked");
  expect(head).toMatchObject({ status: 307, length: 0, keepAlive: false });
});

it.each([
  ["a length and a coding", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked"],
  ["a body in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked"],
  ["no length", "HTTP/1.1 200 OK"],
  ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5"],
  ["a list of lengths", "HTTP/1.1 200 OK\r\ncontent-length: 5, 5"],
  ["a signed length", "HTTP/1.1 200 OK\r\ncontent-length: +5"],
  ["a length in hexadecimal", "HTTP/1.1 200 OK\r\ncontent-length: 0x5"],
  ["a length that no number holds", `HTTP/1.1 200 OK\r\ncontent-length: ${"9".repeat(20)}`],
  ["a folded line", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: a\r\n b"],
  ["a space before the colon", "HTTP/1.1 200 OK\r\ncontent-length : 5"],
  ["a bare line feed", "HTTP/1.1 200 OK\r\nx: a\ncontent-length: 5"],
  ["a status without a body", "HTTP/1.1 204 No Content\r\ncontent-length: 5"],
  ["an interim status", "HTTP/1.1 103 Early Hints\r\ncontent-length: 5"],
  ["an older HTTP", "HTTP/1.0 200 OK\r\ncontent-length: 5"],
  ["no HTTP", "SSH-2.0-OpenSSH"],
  ["nothing", ""],
])("leaves %s to node:http", (_what, head) => {
  expect(parseResponseHead(head)).toBeUndefined();
});
