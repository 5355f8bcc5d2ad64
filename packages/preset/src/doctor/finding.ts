import type { Cancellable } from "@mote/core";
import type { OpenMoteOptions } from "../mote.js";

export interface Finding {
  /** What was checked, in a word or two, such as `free space`. */
  readonly topic: string;
  /** `warn`: it works, but could be better. `fail`: it does not work. */
  readonly state: "ok" | "warn" | "fail";
  readonly says: string;
  readonly advice?: string;
}

export interface ExamineOptions extends Pick<OpenMoteOptions, "dir" | "plainHttp" | "registries">, Cancellable {
  /** Registries to connect to, as references name them. */
  readonly hosts?: readonly string[] | undefined;
}
