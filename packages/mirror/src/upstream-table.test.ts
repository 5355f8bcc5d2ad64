import { describe, expect, it } from "vitest";
import { UpstreamTable } from "./upstream-table.js";

const hub = { name: "docker.io", aliases: ["index.docker.io"], implicitNamespace: "library" };
const ghcr = { name: "ghcr.io" };

describe("the upstream of a request", () => {
  const two = new UpstreamTable([hub, ghcr]);
  const one = new UpstreamTable([hub]);
  it.each([
    ["the one that ns names", two.repository("org/app", "ghcr.io"), "ghcr.io/org/app"],
    ["the one that ns names by an alias", two.repository("org/app", "index.docker.io"), "docker.io/org/app"],
    [
      "the one that ns names, even if the path names another",
      two.repository("ghcr.io/app", "docker.io"),
      "docker.io/ghcr.io/app",
    ],
    ["the one that the path begins with", two.repository("ghcr.io/org/app"), "ghcr.io/org/app"],
    ["the only one", one.repository("org/app"), "docker.io/org/app"],
    ["Docker Hub's, with the namespace that is left out", one.repository("alpine"), "docker.io/library/alpine"],
    [
      "Docker Hub's, where the path begins with its name",
      two.repository("docker.io/alpine"),
      "docker.io/library/alpine",
    ],
    ["the default", new UpstreamTable([hub, ghcr], "ghcr.io").repository("org/app"), "ghcr.io/org/app"],
  ])("is %s", (_, repository, full) => {
    expect(repository?.full).toBe(full);
  });

  it.each([
    ["several upstreams and no default", two.repository("org/app")],
    ["the default none", new UpstreamTable([hub], "none").repository("org/app")],
    ["a namespace that is not an upstream, although there is a default", one.repository("org/app", "evil.example")],
    ["a namespace that is empty", one.repository("org/app", "")],
    ["a name that no repository can have", one.repository("../app")],
    ["a name that no repository can have after the upstream's", one.repository("docker.io/../app")],
  ])("is none with %s", (_, repository) => {
    expect(repository).toBeUndefined();
  });
});

it("refuses a name that occurs twice, and a default that is not there", () => {
  expect(() => new UpstreamTable([hub, { name: "index.docker.io" }])).toThrow("index.docker.io is given twice");
  expect(() => new UpstreamTable([hub], "quay.io")).toThrow("quay.io is not an upstream");
});
