/**
 * Whether a symbolic link at `path` of a tree (names with `/` between them) leads to a place in that tree, whatever other links
 * of the same kind are there: `..` may stand at the front only, where nothing but real folders is above.
 */
export function staysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || /[\\\0]|^[A-Za-z]:/.test(target)) return false;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const up = names.findIndex((name) => name !== "..");
  const leading = up < 0 ? names.length : up;
  return leading < path.split("/").length && !names.slice(leading).includes("..");
}
