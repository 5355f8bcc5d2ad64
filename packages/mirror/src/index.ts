export type { FleetOptions } from "./fleet/fleet.js";
export type { FleetMembers } from "./fleet/members.js";
export { Mirror, type MirrorOptions } from "./mirror.js";
export type { UpstreamContent, UpstreamRegistry } from "./upstream.js";
export type { UpstreamName } from "./upstream-table.js";
