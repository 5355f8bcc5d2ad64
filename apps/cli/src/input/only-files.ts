import { glob } from "../wire.js";
import { parseAnnotation } from "./annotation.js";

type FileFilter = (file: { readonly title: string; readonly annotations: Readonly<Record<string, string>> }) => boolean;

/** Returns which files of an artifact are selected: those with all annotations and a path that matches a glob. */
export function onlyFiles({
  only = [],
  onlyAnnotation = [],
}: {
  readonly only?: readonly string[] | undefined;
  readonly onlyAnnotation?: readonly string[] | undefined;
}): FileFilter | undefined {
  if (only.length === 0 && onlyAnnotation.length === 0) return undefined;
  const [included, excluded] = [false, true].map((isExcluded) =>
    only
      .filter((pattern) => pattern.startsWith("!") === isExcluded)
      .map((pattern) => glob(isExcluded ? pattern.slice(1) : pattern)),
  );
  const wanted = onlyAnnotation.map(parseAnnotation);
  return ({ title, annotations }) =>
    (included === undefined || included.length === 0 || included.some((matches) => matches(title))) &&
    !excluded?.some((matches) => matches(title)) &&
    wanted.every(([key, value]) => annotations[key] === value);
}
