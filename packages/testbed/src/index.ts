export { type DockerRegistry, type DockerRegistryOptions, startDockerRegistry } from "./docker-registry.js";
export { isInstalled, needs } from "./installed.js";
