import type { MoteSource, TagStore } from "@mote/core";
import type { ManifestLeases } from "./manifests/manifest-leases.js";
import type { Repositories } from "./repositories/repositories.js";
import type { RepositoryContents } from "./repositories/repository-contents.js";
import type { UpstreamRequests } from "./upstreams/upstream-requests.js";

/** The dependencies of the resources of the API. */
export interface ServedContent {
  readonly source: MoteSource;
  readonly tags: TagStore;
  readonly leases: ManifestLeases;
  readonly repositories: Repositories;
  readonly contents: RepositoryContents;
  /** Undefined without upstreams. */
  readonly upstreams: UpstreamRequests | undefined;
}
