import { MoteError } from "@mote/core";
import { expect, it } from "vitest";
import { textLines } from "./text-lines.js";

const tooLong = (line: number) => new MoteError("MOTE_TOO_LARGE", `line ${line}`);

async function linesOf(...chunks: Uint8Array[]): Promise<string[]> {
  const all = (async function* () {
    yield* chunks;
  })();
  const lines: string[] = [];
  for await (const line of textLines(all, { maxLength: 5, tooLong })) lines.push(line);
  return lines;
}

const encode = (text: string) => new TextEncoder().encode(text);

it("splits chunks of any length, in the middle of a character too, and drops a byte order mark", async () => {
  const bytes = encode("\uFEFFone\n\nö\nlast");
  const lines = ["one", "", "ö", "last"];
  expect(await linesOf(bytes)).toEqual(lines);
  expect(await linesOf(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(lines);
  expect(await linesOf()).toEqual([""]);
});

it("rejects a line that is too long, before it ends", async () => {
  await expect(linesOf(encode("12345\n123456\n"))).rejects.toThrow("line 2");
  await expect(linesOf(encode("1234"), encode("56"))).rejects.toThrow("line 1");
});
