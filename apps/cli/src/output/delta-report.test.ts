import { digestBytes } from "@mote/core";
import { expect, it } from "vitest";
import type { DeltaLayer, DeltaReport } from "../wire.js";
import { deltaLines } from "./delta-report.js";
import { createStyle } from "./terminal-text.js";

const digest = (text: string) => digestBytes(new TextEncoder().encode(text));

function report(
  layers: readonly DeltaLayer[],
  sizes: { readonly newBytes: number; readonly deltaBytes: number },
): DeltaReport {
  const made = {
    source: digest("old"),
    subject: digest("new"),
    digest: digest("delta"),
    reference: "registry.example/app@x",
  };
  return {
    ...{ old: "app:1", new: "app:2", withoutOld: [], unchanged: [], warnings: [], durationMs: 1500 },
    deltas: [{ ...made, platform: "linux/amd64", layers, ...sizes }],
  };
}

it("says what a delta costs, and how it makes each layer", () => {
  const lines = deltaLines(
    report(
      [
        { digest: digest("a"), size: 5_000_000, how: "stored" },
        { digest: digest("b"), size: 4_000_000, how: "patched", encoder: "gzip:go1.26-6", diffBytes: 200_000 },
        { digest: digest("c"), size: 3_000_000, how: "encoded", encoder: "gzip:zlib-9" },
        { digest: digest("d"), size: 1_000_000, how: "fetched", reason: "no encoder reproduces it" },
      ],
      { newBytes: 8_000_000, deltaBytes: 1_200_000 },
    ),
    { columns: 120, style: createStyle(false) },
  );
  expect(lines[0]).toBe("linux/amd64: 1.20 MB instead of 8.00 MB, 15.0 %");
  expect(lines.join("\n")).toMatch(/0 B +the old image has it/);
  expect(lines.join("\n")).toMatch(/4\.00 MB +200 kB +patched and compressed \(gzip:go1\.26-6\)/);
  expect(lines.join("\n")).toMatch(/3\.00 MB +0 B +compressed again \(gzip:zlib-9\)/);
  expect(lines.join("\n")).toMatch(/1\.00 MB +1\.00 MB +fetched: no encoder reproduces it/);
  expect(lines.slice(-2)).toEqual(["made 1 delta in 1.5 s", "registry.example/app@x"]);
});

it("has no share if nothing is new, and no lines without a delta", () => {
  const style = { columns: 80, style: createStyle(false) };
  expect(deltaLines(report([], { newBytes: 0, deltaBytes: 900 }), style)[0]).toBe("linux/amd64: 900 B instead of 0 B");
  expect(deltaLines({ ...report([], { newBytes: 0, deltaBytes: 0 }), deltas: [] }, style)).toEqual([]);
});
