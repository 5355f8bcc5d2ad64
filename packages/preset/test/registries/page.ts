import type { Check, RegistryKind } from "@mote/testbed";
import { markdownTable } from "../../../../apps/bench/src/markdown-table.js";

/** The results of the checks. */
export type Results = ReadonlyMap<RegistryKind, ReadonlyMap<Check, string>>;

/** The description of each check on the page. */
const meanings: Readonly<Record<Check, string>> = {
  "log in":
    "`mote login` with a wrong password, which is refused and not stored, then with the right one; then a copy within the registry. `unchecked`: the registry allows anonymous reads, so that it does not look at a password until something is pushed",
  pull: "an image by its digest, then by its tag; the second time no blob is asked for",
  private:
    "an image of a repository that only its users may read: without a login an error that says to log in, then with one",
  platform: "one platform of an index; no layer of the others is asked for",
  "push twice":
    "an index of two images, one with a layer of 9 MB, whose tokens expire while its chunks are sent; then the same again, which sends no manifest and no tag. `blobs again`: HEAD of a blob does not tell whether it is there, so it is sent",
  "push an index": "an index of two platforms: its images, then the index under its tag",
  "lost responses":
    "an image with a layer of 9 MB, of which the first piece, the first blob and the first manifest are stored, and the response is lost: 503 from a proxy comes instead",
  "immutable tag":
    "an image to a tag that has it, which changes nothing; then another to that tag, which is an error in the registry's own words",
  referrers:
    "an image with two manifests that refer to it, twice, and all of them back again. `API`: the registry lists it; `tag`: mote keeps the list under the tag of the image's digest",
  resume: "a layer whose download is cut: the rest is asked for by a range with both ends, and nothing twice",
  "rate limit":
    "one manifest and one blob are refused with what the registry responds to too many requests, and asked for again",
  mount:
    "a copy to another repository. `mounted`: no blob is sent; `uploaded`: the registry does not mount, and mote sends them",
};

/** Returns the content of `docs/reference/registries.md`. */
export function registriesPage(kinds: readonly RegistryKind[], checks: readonly Check[], results: Results): string {
  const tried = kinds.map((kind) => [kind.name, ...checks.map((check) => results.get(kind)?.get(check) ?? "failed")]);
  const missing = kinds.flatMap(({ name, lacks }) =>
    checks.flatMap((check) => (lacks[check] === undefined ? [] : [[name, check, lacks[check]]])),
  );
  const reports = kinds.flatMap(({ name, behaviours, rateLimit }) =>
    [...behaviours, ...(rateLimit === undefined ? [] : [rateLimit])].map((one) => [name, one.name, `<${one.source}>`]),
  );
  return [
    "# Registries",
    "",
    "<!-- Made from packages/testbed/src/registries by packages/preset/test/registries.test.ts: see CONTRIBUTING.md. -->",
    "",
    "What mote is tried against in each run of its tests, and how it went.",
    "",
    "These registries are simulated. Each is a small server in [`packages/testbed`](../../packages/testbed/src/registries) that keeps to the",
    "distribution specification except where users or documents say that the real one does not; the last table has each of these",
    "behaviours with its source. So the table shows that mote copes with what was reported, and not that a service behaves so today. Each",
    "simulated registry has its storage and its token service on other origins, and storage refuses requests with credentials, as S3 does.",
    "",
    "Other clients and servers keep the simulation honest: in the same run skopeo pulls from and pushes to each of the simulated registries",
    "(it cannot push to zot, as the report that is simulated says), and the tests of",
    "[`registry`](../../packages/registry/test) and [`cli`](../../apps/cli/test) use Debian's `docker-registry`, which is Distribution 2.",
    "",
    "## What was tried",
    "",
    ...markdownTable(
      ["registry", ...checks].map((head) => ({ head })),
      tried,
    ),
    "",
    ...checks.map((check) => `- ${check}: ${meanings[check]}.`),
    "",
    "## What is not offered",
    "",
    ...markdownTable([{ head: "registry" }, { head: "check" }, { head: "why it was not tried" }], missing),
    "",
    "## How registries behave",
    "",
    ...markdownTable([{ head: "registry" }, { head: "behaviour" }, { head: "source" }], reports),
    "",
  ].join("\n");
}
