import type { RegistryKind } from "../simulator/behaviour.js";
import { distribution3 } from "./distribution-3.js";
import { dockerHub } from "./docker-hub.js";

/** The bench, in the order of the page. */
export const registryKinds: readonly RegistryKind[] = [dockerHub, distribution3];
