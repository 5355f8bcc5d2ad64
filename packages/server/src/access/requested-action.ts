import type { AccessRequest } from "./access.js";

/**
 * Returns what a request does, by its method and the segments of its path. The repository is the text between `/v2/` and the resource,
 * unchecked. Requests for paths that do not exist have an action, too, so that only clients with a login learn which do.
 */
export function requestedAction(method: string, segments: readonly string[]): Omit<AccessRequest, "authorization"> {
  const isRead = method === "GET" || method === "HEAD";
  const [version, ...path] = segments;
  if (version !== "v2") return { action: isRead ? "status" : "push" };
  if (path.length === 1 && path[0] === "_catalog") return { action: isRead ? "list" : "push" };
  const isUpload = path.at(-3) === "blobs" && path.at(-2) === "uploads";
  const repository = path.slice(0, isUpload ? -3 : -2).join("/") || undefined;
  if (isUpload) return { action: "push", repository };
  return { action: isRead ? "pull" : method === "DELETE" ? "delete" : "push", repository };
}
