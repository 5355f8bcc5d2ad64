import { existsSync } from "node:fs";

/** Returns the name of a part of an archive, counted from 1: `app.tar.001`. */
export function partPath(archive: string, number: number): string {
  return `${archive}.${String(number).padStart(3, "0")}`;
}

/** Returns the path of the list of parts: `app.tar.parts.json`. */
export function partListPath(archive: string): string {
  return `${archive}.parts.json`;
}

/**
 * Returns the path of the whole archive if the path is that of a part, of the list of parts, or of an archive that is only there in parts.
 * Undefined without a list beside it, as the name of another program's file may end in .001.
 */
export function archiveInParts(path: string): string | undefined {
  const [, ofPart] = /^(.*[^/])\.(?:\d{3,}|parts\.json)$/s.exec(path) ?? [];
  const archive = ofPart ?? (existsSync(path) ? undefined : path);
  return archive !== undefined && existsSync(partListPath(archive)) ? archive : undefined;
}
