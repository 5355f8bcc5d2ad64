import { expect, it } from "vitest";
import { spaceBar } from "./space-bar.js";
import { createStyle } from "./terminal-text.js";

const style = createStyle(false);

it("a bar is full for the complete cache, light for shared bytes, and never empty for some bytes", () => {
  const bar = (bytes: number, unsharedBytes: number) =>
    spaceBar({ bytes, unsharedBytes, of: 100 }, { width: 10, style });
  expect(bar(100, 100)).toBe("██████████");
  expect(bar(50, 20)).toBe("██▒▒▒·····");
  expect(bar(1, 1)).toBe("█·········");
  expect(bar(0, 0)).toBe("··········");
  expect(spaceBar({ bytes: 0, unsharedBytes: 0, of: 0 }, { width: 4, style })).toBe("····");
});
