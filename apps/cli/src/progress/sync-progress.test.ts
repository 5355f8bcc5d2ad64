import { stripVTControlCharacters } from "node:util";
import { digestBytes } from "@mote/core";
import { expect, it } from "vitest";
import { createStyle, toTerminal } from "../output/terminal-text.js";
import { Rate } from "./rate.js";
import { syncScreen } from "./sync-progress.js";
import { SyncState } from "./sync-state.js";

const style = createStyle(true);
const MB = 1e6;
const blob = { digest: digestBytes(new Uint8Array(1)), size: 40 * MB, mediaType: "application/octet-stream" };

const image = (name: string) => ({ source: `registry.example/team/${name}:1`, destination: `oci:lab:${name}` });

function shown(state: SyncState, columns: number): readonly string[] {
  const options = { label: "syncing", nowMs: 0, columns, style };
  return syncScreen(state, new Rate(), options).map((line) => stripVTControlCharacters(toTerminal(line)));
}

function halfOfOne(): SyncState {
  const state = new SyncState();
  state.total = 4;
  state.take({ type: "plan", manifests: 1, blobs: 1, bytes: 40 * MB }, image("app"), 0);
  state.take({ type: "start", ...blob }, image("app"), 0);
  state.take({ type: "progress", ...blob, bytes: 20 * MB }, image("app"), 0);
  return state;
}

it("a run shows the images that are being moved, and its share of all images", () => {
  const state = halfOfOne();
  state.finish({ ...image("lib"), state: "copied" }, 1);
  state.finish({ ...image("bad"), state: "failed" }, 2);
  const [app = "", run = ""] = shown(state, 100);
  expect(app).toMatch(/registry\.example\/team\/app:1 +━+╌+ +50 % +40\.0 MB$/);
  expect(run).toMatch(/^syncing {2}━+╌+ {2}2 of 4 images {2}1 failed {2}20\.0 MB$/);
  expect(state.share()).toBe(0.625);
  state.take({ type: "done", ...blob, delivery: "copied" }, image("app"), 0);
  state.finish({ ...image("app"), state: "copied" }, 3);
  expect(shown(state, 100)).toEqual([expect.stringContaining("40.0 MB")]);
});

it("no line of a run is as wide as the terminal, and many images are counted", () => {
  const state = halfOfOne();
  const long = "x".repeat(300);
  for (let at = 0; at < 10; at++) state.take({ type: "wait", registry: long, host: long }, image(`${long}${at}`), 0);
  for (const columns of [30, 40, 80, 120]) {
    const lines = shown(state, columns);
    expect(lines.slice(0, -1).every((line) => line.length < columns)).toBe(true);
    expect(lines).toContain("… and 5 more images");
  }
});

it("a source with two names is two images", () => {
  const state = halfOfOne();
  state.take({ type: "wait", registry: "r", host: "r" }, { ...image("app"), destination: "oci:lab:other" }, 0);
  expect(state.active()).toHaveLength(2);
});
