import { expect, it } from "vitest";
import { ErrorResponse, type RequestContext } from "../routing/response.js";
import { declaredBytes } from "./content-range.js";

function declared(headers: Readonly<Record<string, string>>) {
  const request = { header: (name: string) => headers[name] } as RequestContext;
  try {
    return declaredBytes(request);
  } catch (error) {
    return error instanceof ErrorResponse ? error.response.status : error;
  }
}

it.each([
  [{}, { offset: undefined, length: undefined, hasBody: false }],
  [{ "content-length": "0" }, { offset: undefined, length: 0, hasBody: false }],
  [{ "content-length": "7" }, { offset: undefined, length: 7, hasBody: true }],
  [{ "transfer-encoding": "chunked" }, { offset: undefined, length: undefined, hasBody: true }],
  [
    { "content-range": "0-9", "transfer-encoding": "chunked" },
    { offset: 0, length: 10, hasBody: true },
  ],
  [
    { "content-range": "bytes 5-9/*", "content-length": "5" },
    { offset: 5, length: 5, hasBody: true },
  ],
  [
    { "content-range": " 5-9 ", "content-length": "0" },
    { offset: 5, length: 0, hasBody: false },
  ],
])("a request with %j declares %j", (headers, expected) => {
  expect(declared(headers as Record<string, string>)).toEqual(expected);
});

it.each(["", "x", "1-", "-1", "9-5", "0-1-2", "0-9/5x", "1e3-2e3", "99999999999999999-0", "０-９"])(
  "a Content-Range of %j is rejected",
  (range) => expect(declared({ "content-range": range, "transfer-encoding": "chunked" })).toBe(400),
);

it("a Content-Range and a Content-Length that disagree are rejected", () => {
  expect(declared({ "content-range": "0-9", "content-length": "9" })).toBe(400);
});
