import type { Output } from "./output/output.js";
import type { LoadedSettings, Settings } from "./settings/load-settings.js";

/** What every command gets besides its arguments. */
export interface Context {
  readonly out: Output;
  /** The cache directory. Undefined if no setting and no home directory determine it. */
  readonly dir: string | undefined;
  readonly settings: Settings;
  readonly loaded: LoadedSettings;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}
