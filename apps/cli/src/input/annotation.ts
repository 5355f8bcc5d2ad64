import { UsageError } from "./usage-error.js";

/** Parses `KEY=VALUE`. @throws UsageError */
export function parseAnnotation(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`the annotation ${text} is not valid; use KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
