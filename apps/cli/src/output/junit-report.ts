import type { SyncReport } from "../wire.js";

/** Formats a sync as JUnit XML, as CI servers read it: a test case for each image. */
export function junitReport({ destination, images, removed, failed, durationMs }: SyncReport): string {
  const cases = [
    ...images.map(({ source, destination: to, state, error }) => {
      const attributes = `name="${escaped(source)}" classname="${escaped(to ?? destination)}"`;
      if (error === undefined) return `    <testcase ${attributes}><system-out>${state}</system-out></testcase>`;
      const failure = `<failure type="${escaped(error.code)}" message="${escaped(error.message)}"/>`;
      return `    <testcase ${attributes}>${failure}</testcase>`;
    }),
    ...removed.map(({ destination: to, state, reason = state }) => {
      return `    <testcase name="${escaped(to)}" classname="removed"><system-out>${escaped(reason)}</system-out></testcase>`;
    }),
  ];
  const counts = `tests="${cases.length}" failures="${failed}" time="${(durationMs / 1000).toFixed(3)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="mote sync ${escaped(destination)}" ${counts}>`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

/** XML 1.0, "Character Data and Markup" and "Characters": other control characters cannot be written at all. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[&<>"\t\n\r]/g, (character) => `&#${character.codePointAt(0)};`);
}
