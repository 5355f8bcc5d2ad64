/** Returns content like that of a layer: lines that repeat, numbers, and zeroes. The same for the same seed. */
export function sampleContent(bytes: number, seed = 1): Uint8Array {
  const words = [
    "/usr/lib/",
    "python3",
    "import ",
    "return ",
    "self.",
    "\n",
    "    ",
    "0123456789abcdef",
    "def ",
    "().",
    "\0\0\0\0\0\0\0\0",
  ];
  const content = Buffer.alloc(bytes);
  let state = seed;
  const next = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let at = 0; at < bytes; ) {
    const repeats = at > 1000 && next(4) === 0;
    const from = repeats ? at - 1 - next(Math.min(at - 1, 100_000)) : 0;
    const text = repeats
      ? content.subarray(from, from + 4 + next(60))
      : Buffer.from(next(3) === 0 ? String(next(100_000)) : (words[next(words.length)] ?? ""));
    at += text.copy(content, at);
  }
  return content;
}
