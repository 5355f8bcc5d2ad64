export { RegistryClient, type RegistryClientOptions, type RegistryEvent } from "./client.js";
export type { ConnectionOptions } from "./connections.js";
export type { CredentialSource, Credentials } from "./credentials.js";
export { RegistryDestination, type RegistryDestinationOptions } from "./destination.js";
export { type DockerCredentialsOptions, dockerCredentials } from "./docker-credentials.js";
export type { RepositoryPlace } from "./place.js";
export { RegistryCache } from "./registry-cache.js";
export { RegistryRepository } from "./repository.js";
