/** An endpoint (distribution-spec, "Endpoints"). */
export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: string }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: string }
  /** A blob in the storage behind the registry. */
  | { readonly kind: "stored"; readonly digest: string }
  | { readonly kind: "other" };

export function readRoute(path: string): Route {
  if (/^\/v2\/?$/.test(path)) return { kind: "base" };
  const stored = /^\/stored\/([^/]+)$/.exec(path)?.[1];
  if (stored !== undefined) return { kind: "stored", digest: stored };
  const [, repository = "", endpoint = "", rest = ""] =
    /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/(.*)$/.exec(path) ?? [];
  const upload = endpoint === "blobs" ? /^uploads\/?(.*)$/.exec(rest)?.[1] : undefined;
  if (upload === "") return { kind: "uploads", repository };
  if (upload !== undefined) return { kind: "upload", repository, id: upload };
  switch (endpoint) {
    case "manifests":
      return { kind: "manifest", repository, reference: rest };
    case "blobs":
      return { kind: "blob", repository, digest: rest };
    case "referrers":
      return { kind: "referrers", repository, digest: rest };
    case "tags":
      return rest === "list" ? { kind: "tags", repository } : { kind: "other" };
    default:
      return { kind: "other" };
  }
}

/** Returns the repository that a request concerns. */
export function repositoryOf(route: Route): string | undefined {
  return "repository" in route ? route.repository : undefined;
}
