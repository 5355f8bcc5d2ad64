export type { FileInput, UnpackOptions } from "@mote/layout";
export { formatRef, parseRef } from "@mote/ref";
export type { RegistryServer, ServeOptions } from "@mote/server";
export type { TransferEvent, TransferReport } from "@mote/transfer";
export { examineMote } from "./doctor/examine-mote.js";
export type { ExamineOptions, Finding } from "./doctor/finding.js";
export { type LoggedIn, type LogInOptions, logIn, logOut } from "./endpoints/login.js";
export type { RegistriesOptions } from "./endpoints/registries-options.js";
export {
  type DestinationContext,
  type MoteTransport,
  type TransportContext,
  transports,
} from "./endpoints/transports.js";
export { checkCacheFolder } from "./files/cache-folder-location.js";
export { goesToStdout, isStdout, writeOutputFile } from "./files/output.js";
export type { Image, ImageLayer, LayerEntry } from "./images/image.js";
export { type IncompleteManifest, incompleteManifests, namesOfIncomplete } from "./inventory/incomplete-images.js";
export { type PartialIndex, partialIndexes } from "./inventory/partial-indexes.js";
export {
  type ImageUsage,
  measureSpace,
  type RegistryUsage,
  type RepositoryUsage,
  type SpaceUsage,
} from "./inventory/space-usage.js";
export type {
  EndpointOptions,
  ImageOptions,
  MirrorSettings,
  MoveOptions,
  OpenMote,
  OpenMoteOptions,
  PullOptions,
  PushFilesOptions,
  RepairOptions,
  ServeMoteOptions,
} from "./mote.js";
export { openDestination, openMote, openSource } from "./open-mote.js";
export { type FoundMote, findByName } from "./references/find-by-name.js";
export { type BareDestination, bareDestination, hasTransport } from "./references/plain-paths.js";
export { parsePersonalRef } from "./references/references.js";
export type { MovedRef, MoveReport } from "./transfers/move-report.js";
export { isIntact, missingBlobs } from "./transfers/repair.js";
