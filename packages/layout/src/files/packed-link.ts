/** Returns whether a symbolic link at `path` may be packed: its target stays inside, so `..` may occur only at its start. */
export function staysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || /[\\\0]|^[A-Za-z]:/.test(target)) return false;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const up = names.findIndex((name) => name !== "..");
  const leading = up < 0 ? names.length : up;
  return leading < path.split("/").length && !names.slice(leading).includes("..");
}
