import type { Cancellable } from "@mote/core";
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
