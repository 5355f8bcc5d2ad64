import type { RegistryKind } from "../simulator/behaviour.js";
import { acr } from "./acr.js";
import { artifactory } from "./artifactory.js";
import { cloudflare } from "./cloudflare.js";
import { craneServe } from "./crane-serve.js";
import { distribution2 } from "./distribution-2.js";
import { distribution3 } from "./distribution-3.js";
import { dockerHub } from "./docker-hub.js";
import { ecr } from "./ecr.js";
import { gar } from "./gar.js";
import { ghcr } from "./ghcr.js";
import { gitea } from "./gitea.js";
import { gitlab } from "./gitlab.js";
import { harbor } from "./harbor.js";
import { nexus } from "./nexus.js";
import { quay } from "./quay.js";
import { zot } from "./zot.js";

/** All registries, in the order of the page. */
export const registryKinds: readonly RegistryKind[] = [
  dockerHub,
  ecr,
  gar,
  ghcr,
  quay,
  harbor,
  artifactory,
  nexus,
  gitlab,
  acr,
  cloudflare,
  gitea,
  craneServe,
  zot,
  distribution2,
  distribution3,
];
