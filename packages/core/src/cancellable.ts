/** The last parameter of everything that can wait. An abort rejects with the signal's own reason. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}
