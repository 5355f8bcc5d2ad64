export type { EndpointOptions } from "./endpoint.js";
export { createHandler, type Handler } from "./handler.js";
export { type RegistryServer, type ServedRequest, type ServeOptions, serve } from "./serve.js";
