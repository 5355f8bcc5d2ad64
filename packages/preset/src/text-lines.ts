import { type SplitLinesOptions, splitLines } from "@mote/core";

/** Splits UTF-8 text into lines. @throws as `splitLines` */
export function textLines(
  chunks: AsyncIterable<Uint8Array>,
  options: SplitLinesOptions,
): AsyncGenerator<string, void, undefined> {
  return splitLines(decoded(chunks), options);
}

async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}
