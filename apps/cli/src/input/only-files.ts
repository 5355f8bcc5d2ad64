import { tagFilter } from "../wire.js";
import { UsageError } from "./usage-error.js";

type FileFilter = (file: { readonly title: string; readonly annotations: Readonly<Record<string, string>> }) => boolean;

/** Returns which files of an artifact are selected: those with all annotations and a path that matches a glob. @throws UsageError */
export function onlyFiles({
  only = [],
  onlyAnnotation = [],
}: {
  readonly only?: readonly string[] | undefined;
  readonly onlyAnnotation?: readonly string[] | undefined;
}): FileFilter | undefined {
  if (only.length === 0 && onlyAnnotation.length === 0) return undefined;
  const isSelected = tagFilter(only, { acrossSlashes: false });
  const wanted = onlyAnnotation.map(parseAnnotation);
  return ({ title, annotations }) => isSelected(title) && wanted.every(([key, value]) => annotations[key] === value);
}

/** Parses `KEY=VALUE`. @throws UsageError */
export function parseAnnotation(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`the annotation ${text} is not valid; use KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}
