/** The command line is not valid: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
