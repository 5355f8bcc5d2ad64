export type { Delivery, TransferEvent } from "./events.js";
export type { MissingLayer, RebuildLayer } from "./rebuild.js";
export type { Tally, TransferReport, TransferredRef } from "./report.js";
export { type TransferOptions, transfer, type VerifyContext } from "./transfer.js";
