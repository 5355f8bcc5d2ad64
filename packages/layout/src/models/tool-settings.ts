import { MoteError } from "@mote/core";

/** Returns the value of an environment variable. An empty one counts as not set. */
export function setting(value: string | undefined): string | undefined {
  return value?.trim() || undefined;
}

/** Returns the error for a model whose name a tool cannot have. */
export function unusableName(name: string, reason: string): MoteError {
  return new MoteError(
    "MOTE_INVALID_NAME",
    `cannot place ${name}: ${reason}; copy the model to another name first, or pull its files into a directory such as ./DIR/`,
    { details: { name } },
  );
}
