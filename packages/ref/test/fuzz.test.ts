import { MoteError } from "@mote/core";
import fc from "fast-check";
import { expect, it } from "vitest";
import { formatRef, parseRef, transportFromImageName } from "../src/index.js";
import { nearlyReference, pathRef, registryRef } from "./ref-arbitraries.js";

/** How long to run, in milliseconds. Default: a fixed number of runs that takes seconds. */
const limitMs = Number(process.env.MOTE_FUZZ_MS ?? 0);
const bounds =
  limitMs > 0
    ? { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false }
    : { numRuns: 20_000 };

/** The text of a reference with a few characters removed, inserted or replaced. */
const damaged = fc
  .tuple(fc.oneof(registryRef, pathRef), fc.nat(), fc.nat({ max: 3 }), fc.string({ unit: "binary", maxLength: 3 }))
  .map(([ref, position, length, put]) => {
    const text = formatRef(ref);
    const at = position % (text.length + 1);
    return text.slice(0, at) + put + text.slice(at + length);
  });

function checkOne(text: string): void {
  expect(["oci", "dir", "docker-archive", "oci-archive", "tarball"]).toContain(transportFromImageName(text));
  let ref: ReturnType<typeof parseRef>;
  try {
    ref = parseRef(text);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    expect(error.code).toBe("MOTE_INVALID_REFERENCE");
    const { position, suggestion } = error.details as { position: number; suggestion?: string };
    expect(position).toBeGreaterThanOrEqual(0);
    expect(position).toBeLessThanOrEqual(text.length);
    if (suggestion !== undefined) expect(() => parseRef(suggestion)).not.toThrow();
    return;
  }
  const canonical = formatRef(ref);
  expect(parseRef(canonical)).toEqual(ref);
  expect(formatRef(parseRef(canonical))).toBe(canonical);
  expect(parseRef(formatRef(ref, { short: true }))).toEqual(ref);
}

it(
  "any text is either rejected, or parsed as the same reference as its canonical text",
  () => {
    fc.assert(fc.property(fc.oneof(nearlyReference, damaged, fc.string({ unit: "binary" })), checkOne), bounds);
  },
  limitMs + 60_000,
);

it.each([
  ["a name of one letter", (n: number) => "a".repeat(n)],
  ["dashes", (n: number) => `a${"-".repeat(n)}`],
  ["parts", (n: number) => "a/".repeat(n / 2)],
  ["labels of a host", (n: number) => `${"a.".repeat(n / 2)}a/b`],
  ["colons", (n: number) => ":".repeat(n)],
  ["at signs", (n: number) => "@".repeat(n)],
  ["brackets", (n: number) => "[".repeat(n)],
  ["an address", (n: number) => `[${"1:".repeat(n / 2)}]/a`],
  ["upper case", (n: number) => "A/".repeat(n / 2)],
  ["a path", (n: number) => `oci:${"a@sha256/".repeat(n / 9)}:`],
  ["spaces", (n: number) => " ".repeat(n)],
])("a text of a million characters is parsed in linear time: %s", (_, make) => {
  checkOne(make(1_000_000));
});
