export { type Asked, type ChaosProxy, type Fault, startChaosProxy } from "./chaos-proxy.js";
export { type DelayingProxy, startDelayingProxy } from "./delaying-proxy.js";
export { type DockerRegistry, type DockerRegistryOptions, startDockerRegistry } from "./docker-registry.js";
export { isInstalled, needs } from "./installed.js";
export { registryKinds } from "./registries/all.js";
export type { Behaviour, Check, RegistryKind, Reply, SimulatedRequest } from "./simulator/behaviour.js";
export { pagesReferrers } from "./simulator/referrer-support.js";
export { addImage, addIndex, type SeededContent } from "./simulator/seed.js";
export { type SimulatedRegistry, startSimulatedRegistry } from "./simulator/simulated-registry.js";
