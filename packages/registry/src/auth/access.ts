import type { EventOptions } from "@mote/core";
import type { Subject } from "../reports/subject.js";

/** Where a request goes, what it needs to be allowed, and who hears of its events. */
export interface Access extends EventOptions {
  readonly origin: URL;
  readonly subject: Subject;
  /** `repository:NAME:ACTIONS` */
  readonly scopes: readonly string[];
}
