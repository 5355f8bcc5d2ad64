import { describe, expect, it } from "vitest";
import { hasTransport, plainFolder } from "./plain-paths.js";

const options = { home: "/home/me" };

describe("a destination", () => {
  it.each([
    [".", "."],
    ["..", ".."],
    ["./models", "./models"],
    ["../models", "../models"],
    ["/srv/models", "/srv/models"],
    ["models/", "models/"],
    ["a/b/", "a/b/"],
    ["~", "/home/me"],
    ["~/models", "/home/me/models"],
    ["./with:colon", "./with:colon"],
  ])("%s is a plain directory", (text, path) => {
    expect(plainFolder(text, options)).toBe(path);
  });

  it.each([
    "models",
    "models/llama",
    "models/llama:1",
    "localhost:5000/a/",
    "docker://host/a/",
    "oci:./dir/",
    "dir:/srv/models/",
    "",
    "~other/models",
  ])("%s is not a plain directory", (text) => {
    expect(plainFolder(text, options)).toBeUndefined();
  });
});

it("has a transport only if a known transport precedes the colon", () => {
  for (const text of ["docker://a/b", "https://a/b", "ocidir://a", "oci:a", "dir:a", "docker-archive:a:b"]) {
    expect([text, hasTransport(text)]).toEqual([text, true]);
  }
  for (const text of ["model.bin", "model.bin:text/csv", "C:\\model.bin", "host:5000/a", "ocidir", "data/"]) {
    expect([text, hasTransport(text)]).toEqual([text, false]);
  }
});
