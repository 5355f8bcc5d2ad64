import { expect, it } from "vitest";
import { onlyFiles } from "./only-files.js";
import { UsageError } from "./usage-error.js";

const files = [
  { title: "weights/a.bin", annotations: { precision: "f16" } },
  { title: "weights/b.bin", annotations: { precision: "f32" } },
  { title: "notes.txt", annotations: { precision: "f16", language: "en" } },
];

it.each<[Parameters<typeof onlyFiles>[0], string[]]>([
  [{ only: ["weights/*"] }, ["weights/a.bin", "weights/b.bin"]],
  [{ only: ["weights/a.bin", "*.txt"] }, ["weights/a.bin", "notes.txt"]],
  [{ only: ["!*.txt"] }, ["weights/a.bin", "weights/b.bin"]],
  [{ only: ["weights/*", "!weights/b*"] }, ["weights/a.bin"]],
  [{ onlyAnnotation: ["precision=f16"] }, ["weights/a.bin", "notes.txt"]],
  [{ onlyAnnotation: ["precision=f16", "language=en"] }, ["notes.txt"]],
  [{ only: ["weights/*"], onlyAnnotation: ["precision=f32"] }, ["weights/b.bin"]],
  [{ onlyAnnotation: ["language=de"] }, []],
  [{ onlyAnnotation: ["toString=x"] }, []],
])("%j selects %j", (options, expected) => {
  const filter = onlyFiles(options);
  expect(files.filter((file) => filter?.(file)).map(({ title }) => title)).toEqual(expected);
});

it("nothing is selected by default, and a malformed annotation is an error", () => {
  expect(onlyFiles({})).toBeUndefined();
  expect(() => onlyFiles({ onlyAnnotation: ["precision"] })).toThrow(UsageError);
});
