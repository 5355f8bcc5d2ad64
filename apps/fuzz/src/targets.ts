import type { Target } from "./target.js";
import { gzip, zstd } from "./targets/compressed.js";
import { delta, tarDiff, tarParts } from "./targets/delta.js";
import { fact } from "./targets/fact.js";
import { graph } from "./targets/graph.js";
import { authFile, challenge, contentRange, link, redaction } from "./targets/http.js";
import { index, manifest } from "./targets/manifest.js";
import { reference } from "./targets/reference.js";
import { condition, host, imageName, requestTarget } from "./targets/request.js";
import { pax, tar, unpack } from "./targets/tar.js";

export const targets: Readonly<Record<string, Target>> = {
  tar,
  unpack,
  pax,
  gzip,
  zstd,
  delta,
  "tar-diff": tarDiff,
  "tar-parts": tarParts,
  manifest,
  index,
  graph,
  reference,
  challenge,
  link,
  range: contentRange,
  target: requestTarget,
  host,
  condition,
  name: imageName,
  redact: redaction,
  auth: authFile,
  fact,
};
