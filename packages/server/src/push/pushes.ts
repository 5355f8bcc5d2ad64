import type { Logger } from "@mote/core";
import type { AccessCheck } from "../access/access-check.js";
import type { ApiResponse } from "../routing/response.js";
import type { Route } from "../routing/router.js";
import type { ServedContent } from "../served-content.js";
import { blobUploads } from "./blob-uploads.js";
import { deletions } from "./deletions.js";
import { localRepository, type WriteRequest } from "./local-repository.js";
import { manifestPushes } from "./manifest-pushes.js";
import type { PushCache } from "./push-cache.js";
import { withPushErrors } from "./push-error.js";
import { type PushLeases, pushLeases } from "./push-leases.js";

/** How long a pushed blob is protected from `prune` before a manifest refers to it, at least. */
const blobLeaseMs = 30 * 60 * 1000;
/** How often old uploads are removed. */
const expireEveryMs = 15 * 60 * 1000;

/** The routes of pushes and deletions, and the work that they need while the server runs. */
export class Pushes {
  readonly routes: readonly Route[];
  readonly #leases: PushLeases;
  readonly #timer: NodeJS.Timeout;

  constructor(content: ServedContent, cache: PushCache, access: AccessCheck, logger: Logger) {
    this.#leases = pushLeases(cache, { leaseMs: blobLeaseMs, logger });
    const blobs = blobUploads(content, cache, this.#leases, access);
    const manifests = manifestPushes(content, cache);
    const removals = deletions(content, cache);
    const write =
      (respond: (request: WriteRequest) => Promise<ApiResponse>): Route["respond"] =>
      (routed) =>
        withPushErrors(async () => respond({ ...routed, repository: localRepository(routed, content.upstreams) }));
    const uploads = "/v2/<name>/blobs/uploads";
    this.routes = [
      { method: "POST", path: uploads, respond: write((routed) => blobs.begin(routed)) },
      { method: "POST", path: `${uploads}/`, respond: write((routed) => blobs.begin(routed)) },
      { method: "GET", path: `${uploads}/<reference>`, respond: write((routed) => blobs.status(routed)) },
      { method: "PATCH", path: `${uploads}/<reference>`, respond: write((routed) => blobs.append(routed)) },
      { method: "PUT", path: `${uploads}/<reference>`, respond: write((routed) => blobs.finish(routed)) },
      { method: "DELETE", path: `${uploads}/<reference>`, respond: write((routed) => blobs.cancel(routed)) },
      { method: "PUT", path: "/v2/<name>/manifests/<reference>", respond: write((routed) => manifests.put(routed)) },
      {
        method: "DELETE",
        path: "/v2/<name>/manifests/<reference>",
        respond: write((routed) => removals.manifest(routed)),
      },
      { method: "DELETE", path: "/v2/<name>/blobs/<reference>", respond: write((routed) => removals.blob(routed)) },
    ];
    const expire = async () => {
      try {
        await cache.uploads.expire();
      } catch (error) {
        logger.warn("cannot remove old uploads", { error });
      }
    };
    this.#timer = setInterval(() => void expire(), expireEveryMs).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#leases.close();
  }
}
