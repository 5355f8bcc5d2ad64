/**
 * Whether a symbolic link at `path` of a folder (names with `/` between them) may be packed with it: its target stays in the
 * folder, whatever other such links are there. `..` may come at the front only, where nothing but real folders is above.
 */
export function staysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || /[\\\0]|^[A-Za-z]:/.test(target)) return false;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const up = names.findIndex((name) => name !== "..");
  const leading = up < 0 ? names.length : up;
  return leading < path.split("/").length && !names.slice(leading).includes("..");
}
