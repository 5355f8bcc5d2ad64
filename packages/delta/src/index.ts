export {
  type DeltaArtifact,
  deltaArtifactType,
  emptyJson,
  formatDelta,
  type LayerRecipe,
  maxDeltaManifestBytes,
  parseDelta,
  type ReusedLayer,
  sourceConfigOf,
  tarDiffMediaType,
} from "./delta-artifact.js";
export type { Encoder } from "./encoder.js";
export { builtInEncoders, type Encoders } from "./encoders.js";
export { gzipHeaderOf } from "./gzip-header.js";
export { maxContentBytes, type Replayed, type ReplayOptions, replay, replayWith } from "./replay.js";
export { type ApplyTarDiffOptions, applyTarDiff } from "./tar-diff/apply-tar-diff.js";
export { type MakeTarDiffOptions, makeTarDiff } from "./tar-diff/make-tar-diff.js";
export type { OldFile } from "./tar-diff/old-file.js";
export { OldFiles, type OldFilesOptions } from "./tar-diff/old-files.js";
