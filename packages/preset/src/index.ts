export type {
  ArtifactFileInfo,
  FileInput,
  ImageFile,
  PlacedFiles,
  PlaceFilesOptions,
  UnpackOptions,
} from "@mote/layout";
export { formatRef, parseRef } from "@mote/ref";
export type { RegistryServer, ServedRequest, ServeOptions } from "@mote/server";
export type { TransferEvent, TransferReport } from "@mote/transfer";
export {
  type ArchivedImage,
  type ArchiveListing,
  type ArchiveReport,
  listArchive,
  type VerifyArchiveOptions,
  verifyArchive,
} from "./archives/archive-content.js";
export type { DeltaLayer, DeltaOptions, DeltaProgress, DeltaReport, MadeDelta } from "./deltas/types.js";
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
export {
  archiveTransport,
  checkCacheFolder,
  goesToStdout,
  isArchiveFile,
  isStdout,
  writeOutputFile,
} from "./files/locations.js";
export type { Image, ImageLayer, LayerEntry } from "./images/image.js";
export type { ImageFiles, ImageFilesOptions } from "./images/image-files.js";
export type { UnpackedImage, UnpackImageOptions } from "./images/unpacked-image.js";
export type { ChangedField, ComparedImage, ComparedLayer, DiffOptions, ImageDiff } from "./inspection/image-diff.js";
export type {
  BaseImage,
  DocumentKind,
  HistoryEntry,
  InspectedConfig,
  InspectedEntry,
  InspectedImage,
  InspectedLayer,
  InspectedReferrer,
  InspectedSignature,
  Inspection,
  InspectOptions,
  ReferenceDocument,
} from "./inspection/inspection.js";
export type { ListTagsOptions, TagList } from "./inspection/tag-list.js";
export { type IncompleteManifest, incompleteManifests, namesOfIncomplete } from "./inventory/incomplete-images.js";
export { type PartialIndex, partialIndexes } from "./inventory/partial-indexes.js";
export {
  type ImageUsage,
  measureSpace,
  type RegistryUsage,
  type RepositoryUsage,
  type SpaceUsage,
} from "./inventory/space-usage.js";
export { type WarmedImage, type WarmMirrorOptions, warmMirror } from "./mirror/warm-mirror.js";
export type {
  EndpointOptions,
  ImageOptions,
  MirrorSettings,
  MoveOptions,
  OpenMote,
  OpenMoteOptions,
  PlaceModelOptions,
  PullOptions,
  PushFilesOptions,
  RepairOptions,
  ServeMoteOptions,
} from "./mote.js";
export { openDestination, openMote, openSource } from "./open-mote.js";
export { type GlobOptions, glob, tagFilter } from "./patterns/glob.js";
export { compareVersions } from "./patterns/version-order.js";
export type { DeltaMode } from "./rebuild/layer-rebuilder.js";
export type { FoundMote } from "./references/find-by-name.js";
export { type BareDestination, bareDestination, hasTransport } from "./references/plain-paths.js";
export { parsePersonalRef } from "./references/references.js";
export { openExchange, openExchangeHub, openPasswordAccess } from "./serving.js";
export type {
  RemovedName,
  SyncedImage,
  SyncOptions,
  SyncProgress,
  SyncReport,
  SyncSource,
  UnreadableLines,
} from "./sync/types.js";
export type { MovedRef, MoveReport } from "./transfers/move-report.js";
export type { PlacedModel } from "./transfers/placed-model.js";
export { isIntact, missingBlobs } from "./transfers/repair.js";
