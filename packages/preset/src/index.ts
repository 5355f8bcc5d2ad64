export type { FileInput, UnpackOptions } from "@mote/layout";
export { formatRef, parseRef } from "@mote/ref";
export type { RegistryServer, ServeOptions } from "@mote/server";
export type { TransferEvent, TransferReport } from "@mote/transfer";
export { type ExamineOptions, examineMote, type Finding } from "./doctor/examine-mote.js";
export { type LoggedIn, type LogInOptions, logIn, logOut } from "./endpoints/login.js";
export type { RegistriesOptions } from "./endpoints/registries-options.js";
export { checkCacheFolder } from "./files/cache-folder-location.js";
export { goesToStdout, isStdout, writeOutputFile } from "./files/output.js";
export { type IncompleteManifest, incompleteManifests } from "./inventory/incomplete-images.js";
export { type PartialIndex, partialIndexes } from "./inventory/partial-indexes.js";
export {
  type ImageUsage,
  measureSpace,
  type RegistryUsage,
  type RepositoryUsage,
  type SpaceUsage,
} from "./inventory/space-usage.js";
export {
  type OpenMote,
  type OpenMoteOptions,
  openMote,
  type PullOptions,
  type PushFilesOptions,
} from "./open-mote.js";
export { type FoundMote, findByName } from "./references/find-by-name.js";
export { parsePersonalRef } from "./references/home-paths.js";
export { type BareDestination, bareDestination, hasTransport } from "./references/plain-paths.js";
export type { MovedRef, MoveReport } from "./transfers/move-report.js";
export { missingBlobs, type RepairOptions } from "./transfers/repair.js";
