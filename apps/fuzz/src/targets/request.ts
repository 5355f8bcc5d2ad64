import type { IncomingMessage } from "node:http";
import { digestBytes, parseImageName, parseRepositoryName } from "@mote/core";
import fc from "fast-check";
import { HostCheck } from "../../../../packages/server/src/listening/host-check.js";
import { paginate, parsePageRequest } from "../../../../packages/server/src/lists/paginate.js";
import { allowsRange, isNotModified } from "../../../../packages/server/src/routing/conditions.js";
import { parseRequestTarget, printableTarget } from "../../../../packages/server/src/routing/request-target.js";
import { ErrorResponse } from "../../../../packages/server/src/routing/response.js";
import { mutatedText, oddNumbers, pieces } from "../mutations.js";
import { assert, target } from "../target.js";

const targetWords = [
  "/v2/",
  "/",
  "?",
  "&",
  "=",
  "#",
  "%",
  "%2e",
  "%2F",
  "%5c",
  "%00",
  "%252e",
  "%c0%af",
  ".",
  "..",
  "\\",
  "http://",
  "localhost",
  "a/b",
  "/manifests/",
  "/blobs/sha256:",
  "/tags/list",
  "_catalog",
  "ns=",
  "n=",
  "last=",
  ...oddNumbers,
];

export const requestTarget = target(
  "paths and queries of clients: parseRequestTarget, paginate",
  fc.oneof(
    pieces(targetWords),
    mutatedText(fc.constantFrom("/v2/team/app/manifests/1?ns=docker.io", "/v2/_catalog?n=2&last=a%2Fb", "/v2/")),
  ),
  (text) => {
    assert(/^[\x21-\x7e]*$/.test(printableTarget(text)), "the logged target is printable");
    const parsed = refusable(() => parseRequestTarget(text));
    if (parsed === undefined) return;
    for (const segment of parsed.segments) {
      assert(
        !/[/\\\p{Cc}]/u.test(segment) && segment !== "." && segment !== "..",
        "a segment does not leave its directory",
      );
    }
    const page = refusable(() =>
      paginate(["a", "b", "c"], parsePageRequest(parsed.query), { path: "/v2/_catalog", query: parsed.query }),
    );
    assert(
      page?.link === undefined || /^<[\x21-\x7e]*>; rel="next"$/.test(page.link),
      "a link is a valid header value",
    );
  },
);

const hostChecks = [
  new HostCheck({ allowed: [], isLoopback: true }),
  new HostCheck({ allowed: ["mirror.lan"], isLoopback: false }),
];

export const host = target(
  "Host headers and absolute targets of clients: HostCheck",
  fc.oneof(
    pieces(["localhost", "mirror.lan", "127.0.0.1", "[::1]", "evil.example", ".", ":", "@", "/", "#", "%", ",", " "]),
    mutatedText(fc.constantFrom("localhost:5000", "127.0.0.1", "[::1]:80", "mirror.lan.", "http://localhost/v2/")),
  ),
  (text) => {
    const version = { httpVersionMajor: 1, httpVersionMinor: 1 };
    for (const check of hostChecks) {
      const absolute = { url: text, headers: { host: "localhost" }, rawHeaders: ["Host", "localhost"], ...version };
      refusable(() => check.targetOf(absolute as unknown as IncomingMessage));
      const request = { url: "/v2/", headers: { host: text }, rawHeaders: ["Host", text], ...version };
      if (refusable(() => check.targetOf(request as unknown as IncomingMessage)) === undefined) continue;
      const name = text
        .toLowerCase()
        .replace(/:\d{0,5}$/, "")
        .replace(/\.$/, "");
      const isKnown = ["localhost", "mirror.lan"].includes(name) || /^(\d+\.){3}\d+$|^\[[0-9a-f:.]+\]$/.test(name);
      assert(isKnown, "only known names and addresses are accepted");
    }
  },
);

export const condition = target(
  "conditions of clients: isCurrent, mayCut",
  pieces(['"', "W/", "*", ",", " ", "sha256:", "0".repeat(64), digestBytes(new Uint8Array(0))]),
  (text) => {
    const digest = digestBytes(new Uint8Array(0));
    const ask = { method: "GET", target: "/", header: () => text, signal: new AbortController().signal, facts: {} };
    if (isNotModified(ask, digest))
      assert(text.includes(`"${digest}"`) || text.includes("*"), "a match names the current digest");
    if (allowsRange(ask, digest)) assert(text.trim() === `"${digest}"`, "a range is sent only of this blob");
  },
);

export const imageName = target(
  "names in a tag store: parseImageName",
  fc.oneof(
    pieces([
      "docker.io",
      "localhost",
      "library/app",
      "oci:",
      "dir:",
      "/",
      ":",
      "@",
      "..",
      ".",
      "_",
      "-",
      "A",
      "sha256:",
    ]),
    mutatedText(fc.constantFrom("docker.io/library/app:1", "127.0.0.1:5000/a/b:1", "oci:/home/x/build:1")),
  ),
  (text) => {
    for (const repository of [parseImageName(text)?.repository, parseRepositoryName(text)]) {
      if (repository === undefined) continue;
      const { full, registry, path } = repository;
      assert(full === (registry === undefined ? path : `${registry}/${path}`), "a name consists of its parts");
      assert(
        !/[^\w.:[\]/-]/.test(full) && !full.split("/").includes("..") && !full.includes("//"),
        "a name is not a path",
      );
      assert(parseRepositoryName(full)?.path === path, "a parsed name does not change");
    }
  },
);

/** An error response is valid. */
function refusable<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ErrorResponse) return undefined;
    throw error;
  }
}
