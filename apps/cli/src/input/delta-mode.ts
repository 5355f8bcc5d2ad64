import type { DeltaMode } from "../wire.js";
import { UsageError } from "./usage-error.js";

/** Parses the value of `--delta`. @throws UsageError */
export function deltaMode(text = "auto"): DeltaMode {
  if (text === "auto" || text === "always" || text === "never") return text;
  throw new UsageError(`--delta ${text} is not valid; use auto, always or never`);
}
