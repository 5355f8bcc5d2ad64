export * from "./blob-info-cache-suite.js";
export * from "./membership-suite.js";
export * from "./mote-cache-suite.js";
export * from "./mote-source-suite.js";
export * from "./shared-cache-workload.js";
export * from "./test-api.js";
