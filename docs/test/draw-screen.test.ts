import { describe, expect, it } from "vitest";
// @ts-expect-error It is a script without declarations.
import { drawScreen } from "../captures/draw-screen.mjs";

describe("a rendered screen", () => {
  const svg: string = drawScreen("\u001b[1m$ mote\u001b[0m ls\n\u001b[32mok\u001b[39m <done>\n   \u001b[2mfaint", 20);

  it("has the escaped text at its columns", () => {
    const texts = [...svg.matchAll(/<text x="(\d+)"[^>]*>([^<]*)</g)].map(([, x, text]) => [
      (Number(x) - 16) / 8,
      text,
    ]);
    expect(texts).toEqual([
      [0, "$ mote"],
      [6, " ls"],
      [0, "ok"],
      [2, " &lt;done>"],
      [3, "faint"],
    ]);
  });

  it("has the colors and weights of the terminal output", () => {
    expect(svg).toMatch(/font-weight="600">\$ mote/);
    expect(svg).not.toMatch(/font-weight="600"> ls/);
    expect(svg).toMatch(/fill="#3fb950"[^>]*>ok/);
    expect(svg).not.toMatch(/fill="#3fb950"[^>]*> &lt;/);
  });
});
