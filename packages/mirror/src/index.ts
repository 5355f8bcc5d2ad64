export type { Fill } from "./fills.js";
export { Mirror, type MirrorOptions } from "./mirror.js";
export type { UpstreamContent, UpstreamRegistry, UpstreamStatus } from "./upstream.js";
export type { UpstreamName } from "./upstream-table.js";
