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

async function read(...pieces: string[]): Promise<BlobFact[]> {
  const read: BlobFact[] = [];
  for await (const fact of parseFacts(pieces)) read.push(fact);
  return read;
}

async function errorOf(...pieces: string[]): Promise<MoteError | undefined> {
  try {
    await read(...pieces);
  } catch (error) {
    if (MoteError.isInstance(error)) return error;
    throw error;
  }
  return undefined;
}

describe("exported facts", () => {
  it("are one line each, and are read as they were written", async () => {
    expect(text.split("\n").length).toBe(1 + facts.length + 1);
    expect(await read(text)).toEqual(facts);
  });

  it("may come in pieces of any length", async () => {
    expect(await read(...text)).toEqual(facts);
  });

  it("may follow each other, with blank lines and without a last line feed", async () => {
    expect(await read(text, "\n\r\n", text.trimEnd())).toEqual([...facts, ...facts]);
  });

  it("of nothing are nothing", async () => {
    expect(await read()).toEqual([]);
    expect(await read(factHeader)).toEqual([]);
  });

  it("of another version are refused", async () => {
    expect((await errorOf('{"format":"mote-blob-facts","version":2}'))?.code).toBe("MOTE_UNSUPPORTED_FORMAT");
  });

  it.each<[string, unknown]>([
    ["no digest", { fact: "transformer", digest: "sha256:1", name: "gzip", ...time }],
    ["no name", { fact: "transformer", digest, name: "", ...time }],
    ["no time", { fact: "transformer", digest, name: "gzip" }],
    ["a time that is no whole number", { fact: "transformer", digest, name: "gzip", sequence: 1.5, lastSeenMs: 1 }],
    ["a time below zero", { fact: "transformer", digest, name: "gzip", sequence: -1, lastSeenMs: 1 }],
    ["an unknown kind", { fact: "rumour", digest, ...time }],
    ["no object", 1],
  ])("with %s are refused with the line's number", async (_, bad) => {
    const error = await errorOf(text, JSON.stringify(bad));
    expect(error).toMatchObject({ code: "MOTE_INVALID_FACT", details: { line: 1 + facts.length + 1 } });
  });

  it("without their header are refused", async () => {
    expect((await errorOf(text.slice(factHeader.length)))?.code).toBe("MOTE_INVALID_FACT");
  });

  it("of a line without end are refused before memory is", async () => {
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
