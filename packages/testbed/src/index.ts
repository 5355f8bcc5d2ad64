export { type Asked, type ChaosProxy, type Fault, startChaosProxy } from "./chaos-proxy.js";
export { type DelayingProxy, startDelayingProxy } from "./delaying-proxy.js";
export { type DockerRegistry, type DockerRegistryOptions, startDockerRegistry } from "./docker-registry.js";
export { isInstalled, needs } from "./installed.js";
