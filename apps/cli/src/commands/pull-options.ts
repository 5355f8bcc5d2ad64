import type { DeltaMode } from "../wire.js";

/** What can be given to `mote pull`, besides settings. */
export interface PullOptions {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly force?: boolean;
  readonly link?: boolean;
  readonly offline?: boolean;
  readonly unpack?: string;
  readonly into?: "ollama" | "hf" | "lmstudio";
  readonly preferCached?: boolean;
  readonly delta?: DeltaMode;
  readonly only?: readonly string[];
  readonly onlyAnnotation?: readonly string[];
}
