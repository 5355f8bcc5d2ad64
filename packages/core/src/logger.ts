/** Receives log messages. The default is silent. `details` never contains credentials. */
export interface Logger {
  debug(message: string, details?: object): void;
  info(message: string, details?: object): void;
  warn(message: string, details?: object): void;
  error(message: string, details?: object): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
