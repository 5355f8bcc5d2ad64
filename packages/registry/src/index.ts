export { checkCredentials } from "./check-credentials.js";
export { RegistryClient, type RegistryClientOptions } from "./client.js";
export type { Clock } from "./clock.js";
export type { ConnectionOptions } from "./connections.js";
export type { CredentialSource, Credentials } from "./credentials.js";
export { RegistryDestination, type RegistryDestinationOptions } from "./destination.js";
export { type DockerCredentialsOptions, dockerCredentials } from "./docker-credentials.js";
export { type AuthFileFindings, examineCredentials } from "./examine-credentials.js";
export { examineRegistry, type RegistryFindings } from "./examine-registry.js";
export {
  type CertificateSource,
  type HostCertificates,
  type HostCertificatesOptions,
  hostCertificates,
} from "./host-certificates.js";
export type { Hosts } from "./hosts.js";
export { eraseCredentials, saveCredentials } from "./kept-credentials.js";
export { MirroredRepository } from "./mirrored-repository.js";
export { type MirrorPlace, type Mirrors, MirrorTable } from "./mirrors.js";
export { type RepositoryPlace, readRegistry } from "./place.js";
export type { ReferrersOptions } from "./referrers.js";
export { RegistryCache } from "./registry-cache.js";
export type { RegistryEvent } from "./registry-event.js";
export { RegistryRepository } from "./repository.js";
