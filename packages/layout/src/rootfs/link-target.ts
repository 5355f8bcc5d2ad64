import type { SelectedFile } from "./selection.js";

/**
 * Returns the target of a symbolic link where the selection is written. An absolute target in the selected folder becomes relative, as the
 * folder may be anywhere. Any other stays as it is, to be rejected if it leads out.
 */
export function linkTargetIn({ file, name, root }: SelectedFile): string {
  const { linkName } = file;
  const depth = name.split("/").length - 1;
  if (!linkName.startsWith("/")) return root.path === "" ? withinRoot(linkName, depth) : linkName;
  const names = linkName.split("/").filter((each) => each !== "" && each !== ".");
  while (names[0] === "..") names.shift();
  const target = names.join("/");
  const isInside = root.path === "" || target === root.path || target.startsWith(`${root.path}/`);
  if (!isInside) return linkName;
  const rest = root.path === "" ? target : target.slice(root.path.length + 1);
  const placed = [root.name, rest].filter((each) => each !== "" && each !== ".").join("/");
  return "../".repeat(depth) + placed || ".";
}

/** In an image, `..` at the root is the root. */
function withinRoot(target: string, depth: number): string {
  const names = target.split("/");
  let climbs = 0;
  while (names[climbs] === "..") climbs++;
  if (climbs === 0) return target;
  return [...Array(Math.min(climbs, depth)).fill(".."), ...names.slice(climbs)].join("/") || ".";
}
