import { type Cancellable, MoteError } from "@mote/core";
import type { OpenMoteOptions } from "../mote.js";

export interface Finding {
  /** The subject of the check, such as `free space`. */
  readonly topic: string;
  /** `warn`: it works, but could be better. `fail`: it does not work. */
  readonly state: "ok" | "warn" | "fail";
  readonly says: string;
  readonly advice?: string;
}

export interface ExamineOptions
  extends Pick<OpenMoteOptions, "dir" | "cache" | "plainHttp" | "registries" | "tier" | "bic">,
    Cancellable {
  /** Registries to connect to, as in references. */
  readonly hosts?: readonly string[] | undefined;
}

export function finding(topic: string, state: Finding["state"], says: string, advice?: string): Finding {
  return { topic, state, says, ...(advice === undefined ? {} : { advice }) };
}

/** Returns what a check finds. A `MoteError` is a finding, too. */
export async function findingsOf(
  topic: string,
  { signal, advice }: Cancellable & { readonly advice?: string },
  check: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    signal?.throwIfAborted();
    if (!MoteError.isInstance(error)) throw error;
    return [finding(topic, "fail", error.message, advice)];
  }
}
