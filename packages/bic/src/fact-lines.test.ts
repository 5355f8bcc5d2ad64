import { digestBytes, MoteError } from "@mote/core";
import { describe, expect, it } from "vitest";
import type { BlobFact } from "./blob-fact.js";
import { factHeader, formatFact, parseFacts } from "./fact-lines.js";

const [digest, untransformed] = [digestBytes(new Uint8Array(1)), digestBytes(new Uint8Array(2))];
const time = { sequence: 1_700_000_000_000_000, lastSeenMs: 1_700_000_000_000 };
const facts: BlobFact[] = [
  { fact: "pair", digest, untransformed, ...time },
  { fact: "pair", digest: untransformed, untransformed, implied: true, ...time },
  { fact: "transformer", digest, name: "zstd:chunked", ...time },
  { fact: "location", transport: "oci", scope: "\0", digest, location: "\ud800\n", ...time },
  { fact: "absence", transport: "", scope: "", digest, location: "", ...time },
];
const text = factHeader + facts.map(formatFact).join("");

async function parse(...chunks: string[]): Promise<BlobFact[]> {
  const parsed: BlobFact[] = [];
  for await (const fact of parseFacts(chunks)) parsed.push(fact);
  return parsed;
}

async function errorOf(...chunks: string[]): Promise<MoteError | undefined> {
  try {
    await parse(...chunks);
  } catch (error) {
    if (MoteError.isInstance(error)) return error;
    throw error;
  }
  return undefined;
}

describe("parseFacts", () => {
  it("returns the facts that formatFact wrote, one on each line", async () => {
    expect(text.split("\n").length).toBe(1 + facts.length + 1);
    expect(await parse(text)).toEqual(facts);
  });

  it("accepts text in chunks of any length", async () => {
    expect(await parse(...text)).toEqual(facts);
  });

  it("accepts concatenated exports, blank lines and a missing line feed at the end", async () => {
    expect(await parse(text, "\n\r\n", text.trimEnd())).toEqual([...facts, ...facts]);
  });

  it("returns nothing for an empty export", async () => {
    expect(await parse()).toEqual([]);
    expect(await parse(factHeader)).toEqual([]);
  });

  it("rejects another format version", async () => {
    expect((await errorOf('{"format":"mote-blob-facts","version":2}'))?.code).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it.each<[string, unknown]>([
    ["an invalid digest", { fact: "transformer", digest: "sha256:1", name: "gzip", ...time }],
    ["an empty name", { fact: "transformer", digest, name: "", ...time }],
    ["no time", { fact: "transformer", digest, name: "gzip" }],
    ["a time that is not an integer", { fact: "transformer", digest, name: "gzip", sequence: 1.5, lastSeenMs: 1 }],
    ["a negative time", { fact: "transformer", digest, name: "gzip", sequence: -1, lastSeenMs: 1 }],
    ["an unknown kind", { fact: "rumour", digest, ...time }],
    ["a value that is not an object", 1],
  ])("rejects a line with %s and reports the line number", async (_, bad) => {
    const error = await errorOf(text, JSON.stringify(bad));
    expect(error).toMatchObject({ code: "MOTE_INVALID_FACT", details: { line: 1 + facts.length + 1 } });
  });

  it("rejects text without a header", async () => {
    expect((await errorOf(text.slice(factHeader.length)))?.code).toBe("MOTE_INVALID_FACT");
  });

  it("rejects an endless line before memory runs out", async () => {
    function* endless() {
      yield factHeader;
      for (;;) yield "x".repeat(1024 * 1024);
    }
    const all = async () => {
      for await (const _ of parseFacts(endless())) expect.unreachable();
    };
    await expect(all()).rejects.toMatchObject({ code: "MOTE_TOO_LARGE" });
  });
});
