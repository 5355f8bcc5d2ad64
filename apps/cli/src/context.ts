import type { Output } from "./output/output.js";
import type { LoadedSettings, Settings } from "./settings/load-settings.js";

/** What every command gets beside its own arguments. */
export interface Context {
  readonly out: Output;
  /** The cache folder. Undefined where nothing says where it is. */
  readonly dir: string | undefined;
  /** Of flags, environment and configuration files. */
  readonly settings: Settings;
  /** Where each of them comes from. */
  readonly loaded: LoadedSettings;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}
