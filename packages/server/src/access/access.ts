import type { Cancellable } from "@mote/core";

/**
 * What a request does. `push` includes uploads and the filling of the cache ahead of time; `list` is the catalog; `status` is everything that
 * describes the server instead of content.
 */
export type Action = "pull" | "push" | "delete" | "list" | "status";

export interface AccessRequest {
  readonly action: Action;
  /** The repository as in the path of the request. Undefined if the request is not about one. */
  readonly repository?: string | undefined;
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
}

export type AccessDecision =
  /** `challenge`: how the client could log in, although it need not for this request. */
  | { readonly kind: "allowed"; readonly user?: string | undefined; readonly challenge?: string | undefined }
  /** `challenge`: the value of `WWW-Authenticate`. */
  | { readonly kind: "unauthenticated"; readonly challenge: string }
  | { readonly kind: "denied" };

/** Decides who may do what. */
export interface Access {
  decide(request: AccessRequest, options?: Cancellable): Promise<AccessDecision>;
}
