/** A configuration file or variable is not valid. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "MOTE_CONFIG";
  readonly details: object;

  constructor(message: string, details: object, options?: ErrorOptions) {
    super(message, options);
    this.details = details;
  }
}
