import { describe, expect, it } from "vitest";
import { resumeChunks, type StreamEnd } from "./resume-chunks.js";

const content = Uint8Array.from({ length: 10 }, (_, at) => at);

async function* part(start: number, end: number, error?: Error) {
  for (let at = start; at < end; at += 2) yield content.subarray(at, Math.min(at + 2, end));
  if (error) throw error;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of chunks) bytes.push(...chunk);
  return bytes;
}

describe("resumeChunks", () => {
  it("continues at the byte where a stream failed or ended", async () => {
    const error = new Error("cut");
    const ends: StreamEnd[] = [];
    const chunks = resumeChunks(part(1, 4, error), 1, async (end) => {
      ends.push(end);
      return end.offset === 10 ? undefined : part(end.offset, end.offset === 4 ? 7 : 10);
    });
    expect(await collect(chunks)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(ends).toEqual([
      { start: 1, offset: 4, failure: { error } },
      { start: 4, offset: 7 },
      { start: 7, offset: 10 },
    ]);
  });

  it("rejects with the error that is thrown instead of opening another stream", async () => {
    const chunks = resumeChunks(part(0, 4, new Error("cut")), 0, async ({ failure }) => {
      throw failure?.error;
    });
    await expect(collect(chunks)).rejects.toThrow("cut");
  });
});
