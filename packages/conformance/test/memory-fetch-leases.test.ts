import { MemoryFetchLeases } from "@mote/core";
import { describe, expect, it } from "vitest";
import { fetchLeasesSuite } from "../src/index.js";

let nowMs = 0;
fetchLeasesSuite({ describe, it, expect }, () => new MemoryFetchLeases({ now: () => nowMs }), {
  elapse: (ms) => {
    nowMs += ms;
  },
});
