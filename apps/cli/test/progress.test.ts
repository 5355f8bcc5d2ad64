import { stripVTControlCharacters } from "node:util";
import { digestBytes } from "@mote/core";
import { describe, expect, it } from "vitest";
import { createStyle, fit, toTerminal } from "../src/output/terminal-text.js";
import { LiveLines } from "../src/progress/live-lines.js";
import { Rate } from "../src/progress/rate.js";
import { screen, totalParts } from "../src/progress/transfer-progress.js";
import { TransferState } from "../src/progress/transfer-state.js";
import { workLine } from "../src/progress/work-progress.js";
import type { TransferEvent } from "../src/wire.js";

const style = createStyle(true);
const MB = 1e6;
const digest = (text: string) => digestBytes(new TextEncoder().encode(text));
const blob = (text: string, size: number) => ({ digest: digest(text), size, mediaType: "application/octet-stream" });

function stateAfter(...events: TransferEvent[]): TransferState {
  const state = new TransferState();
  for (const event of events) state.take(event);
  return state;
}

const [big, old, kept] = [blob("big", 40 * MB), blob("old", 10 * MB), blob("kept", 5 * MB)];
const underWay: TransferEvent[] = [
  { type: "plan", manifests: 1, blobs: 4, bytes: 60 * MB },
  { type: "start", ...kept },
  { type: "hit", ...kept },
  { type: "done", ...kept, delivery: "linked" },
  { type: "start", ...blob("mounted", 5 * MB) },
  { type: "mount", ...blob("mounted", 5 * MB) },
  { type: "done", ...blob("mounted", 5 * MB), delivery: "mounted" },
  { type: "start", ...old },
  { type: "resume", ...old, offset: 6 * MB },
  { type: "progress", ...old, bytes: 8 * MB },
  { type: "start", ...big },
  { type: "progress", ...big, bytes: 12 * MB },
];

describe("the progress of a transfer", () => {
  it("counts only transferred bytes: neither hits, nor mounts, nor resumed bytes", () => {
    const state = stateAfter(...underWay);
    expect(state.moved).toBe(14 * MB);
    expect(state.bytes()).toBe(30 * MB);
    expect(state).toMatchObject({ hits: 1, mounts: 1, resumed: 1, done: { bytes: 10 * MB, blobs: 2 } });
  });

  it("says how many blobs came from the tier", () => {
    const filled = blob("filled", 5 * MB);
    const state = stateAfter(
      ...underWay,
      { type: "start", ...filled },
      { type: "progress", ...filled, bytes: 5 * MB },
      { type: "fill", ...filled },
      { type: "done", ...filled, delivery: "fetched" },
    );
    expect(state).toMatchObject({ fills: 1, moved: 19 * MB });
    expect(totalParts(state, new Rate(), 2000)).toContain("1 from the tier");
  });

  it("restarts a blob after a retry", () => {
    const state = stateAfter(...underWay, { type: "retry", ...old, reason: "damaged" });
    expect(state.active().find(({ digest }) => digest === old.digest)).toMatchObject({ bytes: 0, resumedAt: 0 });
  });

  it("shows the share, bytes, rate, remaining time, hits, mounts and resumed blobs", () => {
    const state = stateAfter(...underWay);
    const rate = new Rate();
    rate.take(4 * MB, 0);
    expect(totalParts(state, rate, 2000)).toEqual([
      ...["50 %", "30.0 MB of 60.0 MB", "5.00 MB/s", "6.0 s left"],
      ...["2 of 4 blobs", "1 cached", "1 mounted", "1 resumed"],
    ]);
  });

  it.each([10, 24, 40, 60, 80, 120, 200])(
    "never fills the complete width of the terminal, at %i columns",
    (columns) => {
      const terminal = new Screen(columns, 24);
      new LiveLines(terminal).show(screen(stateAfter(...underWay), new Rate(), { nowMs: 0, columns, style }));
      for (const line of terminal.lastLines) expect(stripVTControlCharacters(line).length).toBeLessThan(columns);
    },
  );

  it("shows bars at 80 columns, and none on a narrow terminal", () => {
    const at = (columns: number) =>
      screen(stateAfter(...underWay), new Rate(), { nowMs: 0, columns, style }).join("\n");
    expect(at(80)).toContain("━━");
    expect(at(40)).not.toContain("━━");
    expect(at(40)).toContain("50 %");
  });
});

describe("a wait for a registry", () => {
  const registry = "registry.example";
  const retry = { type: "retry", registry, host: registry, attempt: 2, retries: 4, delayMs: 1500 } as const;
  const shown = (state: TransferState, nowMs: number) =>
    stripVTControlCharacters(screen(state, new Rate(), { nowMs, columns: 80, style }).join("\n"));

  it("is named with the retry, its start and its reason", () => {
    const state = new TransferState();
    state.take({ type: "wait", registry, host: "auth.example" }, 0);
    expect(shown(state, 0)).toContain("waiting for auth.example");
    state.take({ ...retry, reason: "503" }, 1000);
    expect(state.waits.line(1000)).toBe("retrying registry.example (2 of 4) in 1.5 s: 503");
    expect(state.waits.line(2000)).toBe("retrying registry.example (2 of 4) in 500 ms: 503");
    expect(state.waits.line(2500)).toBe("waiting for registry.example (retry 2 of 4)");
    state.take({ type: "wait", registry, host: registry }, 3500);
    expect(state.waits.line(3500)).toBe("waiting for registry.example (retry 2 of 4)");
    state.take({ ...retry, reason: "unresolved" }, 4000);
    expect(state.waits.line(4000)).toContain("host not found");
    state.take({ type: "plan", manifests: 1, blobs: 1, bytes: 1 }, 5000);
    expect(state.waits.line(5000)).toBeUndefined();
  });

  it("is waited for by each blob until it arrives", () => {
    const state = stateAfter(...underWay);
    state.take({ ...retry, ...old, reason: "cut" }, 0);
    state.take({ ...retry, ...big, reason: "cut" }, 0);
    expect(state.waits.line(0)).toBe("retrying registry.example (2 of 4) in 1.5 s: connection closed, and 1 more");
    state.take({ type: "progress", ...big, bytes: 13 * MB }, 2000);
    expect(state.waits.line(2000)).toBe("waiting for registry.example (retry 2 of 4)");
    state.take({ type: "resume", ...old, offset: 8 * MB }, 2000);
    expect(state.waits.line(2000)).toBeUndefined();
  });
});

describe("the progress of other work", () => {
  it("has a bar on a terminal and none in a log, and shows the remaining time", () => {
    const rate = new Rate();
    const work = { label: "verifying", noun: "motes", done: 30, total: 120, bytes: 2 * MB, totalBytes: 8 * MB };
    rate.take(0, 0);
    expect(workLine(work, rate, 1000)).toBe("verifying, 25 %, 30 of 120 motes, 2.00 MB, 2.00 MB/s, 3.0 s left");
    expect(workLine(work, rate, 1000, 80)).toContain("━━");
    expect(workLine(work, rate, 1000, 30).length).toBeLessThan(30);
  });

  it("omits unknown values", () => {
    expect(workLine({ label: "looking", noun: "motes", done: 3 }, new Rate(), 0)).toBe("looking, 3 motes");
  });
});

describe("a rate", () => {
  it("covers the last seconds, not the complete time", () => {
    const rate = new Rate(4000);
    for (let second = 0; second <= 10; second++) rate.take(second * 10, second * 1000);
    for (let second = 11; second <= 20; second++) rate.take(100, second * 1000);
    expect(rate.perSecond()).toBe(0);
  });

  it("is unknown before half a second", () => {
    const rate = new Rate();
    rate.take(0, 0);
    rate.take(10, 400);
    expect(rate.perSecond()).toBeUndefined();
  });
});

/** A terminal that records its output. */
class Screen {
  columns: number;
  readonly rows: number;
  text = "";

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.text += text;
  }

  get lastLines(): string[] {
    return this.text.split("\r").at(-1)?.split("\n") ?? [];
  }
}

describe("live lines", () => {
  it("erase the drawn rows, more if the terminal has become narrower", () => {
    const terminal = new Screen(80, 24);
    const live = new LiveLines(terminal);
    live.show(["a".repeat(70), "b"]);
    terminal.text = "";
    live.show(["c", "d"]);
    expect(terminal.text).toBe("\r\u001b[1A\u001b[Jc\nd");
    live.show(["a".repeat(70), "b"]);
    terminal.columns = 30;
    terminal.text = "";
    live.clear();
    expect(terminal.text).toBe("\r\u001b[3A\u001b[J");
  });

  it("are redrawn below a permanent line", () => {
    const terminal = new Screen(80, 24);
    const live = new LiveLines(terminal);
    live.show(["bar"]);
    terminal.text = "";
    live.above("note");
    expect(terminal.text).toBe("\r\u001b[Jnote\nbar");
    live.clear();
    live.clear();
    expect(terminal.text).toBe("\r\u001b[Jnote\nbar\r\u001b[J");
  });

  it("are drawn on a terminal of unknown size as on a small one", () => {
    const terminal = new Screen(0, 0);
    const live = new LiveLines(terminal);
    live.show(["a".repeat(100), "b"]);
    expect(terminal.text).toBe(`${"a".repeat(78)}…\nb`);
    terminal.text = "";
    live.clear();
    expect(terminal.text).toBe("\r\u001b[1A\u001b[J");
  });

  it("do not exceed the rows of the screen", () => {
    const terminal = new Screen(80, 4);
    new LiveLines(terminal).show(["1", "2", "3", "4", "5"]);
    expect(terminal.text).toBe("3\n4\n5");
  });
});

describe("a cut line", () => {
  it("ends in an ellipsis, and keeps the escapes that end its styles", () => {
    expect(fit("plain text", 6)).toBe("plain…");
    expect(toTerminal(fit(style.bold("plain text"), 6))).toBe("\u001b[1mplain…\u001b[22m");
    expect(fit("plain", 5)).toBe("plain");
  });
});
