export { formatRef, parseRef } from "@mote/ref";
export type { RegistryServer, ServeOptions } from "@mote/server";
export type { TransferEvent, TransferReport } from "@mote/transfer";
export { type OpenMote, type OpenMoteOptions, openMote, type PullOptions } from "./open-mote.js";
