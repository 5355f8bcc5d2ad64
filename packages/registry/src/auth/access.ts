import type { EventOptions } from "@mote/core";
import type { Traffic } from "../http/traffic.js";
import type { Subject } from "../reports/subject.js";

/** The target of a request, its scope, and its event listener. */
export interface Access extends EventOptions {
  readonly origin: URL;
  readonly subject: Subject;
  /** `repository:NAME:ACTIONS` */
  readonly scopes: readonly string[];
  readonly traffic?: Traffic | undefined;
}
