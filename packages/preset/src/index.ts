export type { FileInput, UnpackOptions } from "@mote/layout";
export { formatRef, parseRef } from "@mote/ref";
export type { RegistryServer, ServeOptions } from "@mote/server";
export type { TransferEvent, TransferReport } from "@mote/transfer";
export { checkCacheFolder } from "./cache-folder-location.js";
export { type ExamineOptions, examineMote, type Finding } from "./examine-mote.js";
export { type FoundMote, findByName } from "./find-by-name.js";
export { parsePersonalRef } from "./home-paths.js";
export { type IncompleteManifest, incompleteManifests } from "./incomplete-images.js";
export { type LoggedIn, type LogInOptions, logIn, logOut } from "./login.js";
export type { MovedRef, MoveReport } from "./move-report.js";
export {
  type OpenMote,
  type OpenMoteOptions,
  openMote,
  type PullOptions,
  type PushFilesOptions,
} from "./open-mote.js";
export { goesToStdout, isStdout, writeOutputFile } from "./output.js";
export { type PartialIndex, partialIndexes } from "./partial-indexes.js";
export { type BareDestination, bareDestination, hasTransport } from "./plain-paths.js";
export type { RegistriesOptions } from "./registries-options.js";
export { missingBlobs, type RepairOptions } from "./repair.js";
export {
  type ImageUsage,
  measureSpace,
  type RegistryUsage,
  type RepositoryUsage,
  type SpaceUsage,
} from "./space-usage.js";
