export { type BrowserOptions, type BrowserPage, openBrowser } from "./browser.js";
export { type ChaosProxy, type Effect, type ProxiedRequest, startChaosProxy } from "./chaos-proxy.js";
export { type DelayingProxy, startDelayingProxy } from "./delaying-proxy.js";
export { type DockerRegistry, type DockerRegistryOptions, startDockerRegistry } from "./docker-registry.js";
export { GeneratedBlob } from "./generated-blob.js";
export { isInstalled, needs } from "./installed.js";
export { freePort, listenOnLoopback } from "./loopback.js";
export { type Radosgw, startRadosgw } from "./radosgw.js";
export {
  type RangeReply,
  type RangeRequest,
  type RangeServer,
  type RangeServerOptions,
  startRangeServer,
} from "./range-server.js";
export { type RedisServer, type RedisServerOptions, startRedisServer } from "./redis-server.js";
export { registryKinds } from "./registries/all.js";
export { ollamaRegistry } from "./registries/ollama.js";
export type { S3Keys, S3Server } from "./s3-server.js";
export type { Behaviour, Check, RegistryKind, Reply, SimulatedRequest } from "./simulator/behaviour.js";
export { pageReferrers } from "./simulator/referrer-support.js";
export { addImage, addIndex, type SeededContent } from "./simulator/seed.js";
export { type SimulatedRegistry, startSimulatedRegistry } from "./simulator/simulated-registry.js";
export { expireTokens } from "./simulator/tokens.js";
export { needsVersitygw, startVersitygw } from "./versitygw.js";
