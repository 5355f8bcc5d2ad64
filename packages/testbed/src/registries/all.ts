import type { RegistryKind } from "../simulator/behaviour.js";
import { craneServe } from "./crane-serve.js";
import { distribution2 } from "./distribution-2.js";
import { distribution3 } from "./distribution-3.js";
import { dockerHub } from "./docker-hub.js";
import { ecr } from "./ecr.js";
import { gar } from "./gar.js";
import { ghcr } from "./ghcr.js";
import { zot } from "./zot.js";

/** The bench, in the order of the page. */
export const registryKinds: readonly RegistryKind[] = [
  dockerHub,
  ecr,
  gar,
  ghcr,
  craneServe,
  zot,
  distribution2,
  distribution3,
];
