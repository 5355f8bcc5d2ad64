import { bicSuite } from "./bic-facts.js";
import { engineSuite, syncSuite } from "./cache-engine.js";
import { cacheSuite } from "./cache-put-get.js";
import type { Comparison } from "./compare.js";
import { pullSuite } from "./pull-skopeo.js";
import { refSuite } from "./ref-parse.js";

/** Every benchmark, by the name to ask for it. A suite writes below the folder that it is given and cleans up behind itself. */
export const suites: Readonly<Record<string, (dir: string | undefined) => AsyncIterable<Comparison>>> = {
  bic: bicSuite,
  cache: cacheSuite,
  engine: engineSuite,
  pull: pullSuite,
  ref: refSuite,
  sync: syncSuite,
};
