export type { CredentialSource, Credentials } from "./auth/credentials.js";
export { type DockerCredentialsOptions, dockerCredentials } from "./auth/docker-credentials.js";
export { type AuthFileFindings, examineCredentials } from "./auth/examine-credentials.js";
export { eraseCredentials, saveCredentials } from "./auth/stored-credentials.js";
export { checkCredentials, examineRegistry, type RegistryFindings } from "./check-registry.js";
export { RegistryClient, type RegistryClientOptions } from "./client.js";
export type { Clock } from "./http/clock.js";
export type { ConnectionOptions } from "./http/connections.js";
export {
  type CertificateSource,
  type HostCertificates,
  type HostCertificatesOptions,
  hostCertificates,
} from "./http/host-certificates.js";
export type { Hosts } from "./http/hosts.js";
export type { ObservedResponse, Traffic } from "./http/traffic.js";
export { type GetOptions, HttpClient } from "./http-client.js";
export { MirroredRepository } from "./mirrors/mirrored-repository.js";
export { type MirrorEndpoint, type Mirrors, MirrorTable } from "./mirrors/mirrors.js";
export { type PostOptions, post } from "./post.js";
export { listRepositories } from "./pull/catalog.js";
export type { ReferrersOptions } from "./pull/referrers.js";
export { RegistryCache } from "./pull/registry-cache.js";
export { RegistryRepository } from "./pull/repository.js";
export { RegistryDestination, type RegistryDestinationOptions } from "./push/destination.js";
export { type RemoveTagsOptions, removeTags } from "./push/remove-tags.js";
export { type RepositoryLocation, readRegistry } from "./repository-location.js";
