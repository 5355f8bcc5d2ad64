/** Options of functions that wait. An abort rejects with the reason of the signal. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}
