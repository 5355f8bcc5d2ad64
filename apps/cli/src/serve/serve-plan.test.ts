import { expect, it } from "vitest";
import { planServe } from "./serve-plan.js";

const options = {
  ...{ host: "127.0.0.1", port: "0", fresh: "60s", grace: "30s", upstream: ["docker.io", "ghcr.io"] },
  ...{ offline: false, push: false, anonymousPull: false, accessLog: false },
};

it.each([
  [1000, "1", 1000],
  [1000, "4", 250],
  [{ "docker.io": 1000, "ghcr.io": 500 }, "4", { "docker.io": 250, "ghcr.io": 125 }],
  [undefined, "4", undefined],
])("the workers share the rate %j: with --workers %s, each has %j", (maxRate, workers, expected) => {
  expect(planServe({ ...options, workers }, { maxRate }).server.mirror.maxRate).toEqual(expected);
});
