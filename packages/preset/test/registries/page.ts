import type { Check, RegistryKind } from "@mote/testbed";
import { markdownTable } from "../../../../apps/bench/src/markdown-table.js";

/** The results of the checks. */
export type Results = ReadonlyMap<RegistryKind, ReadonlyMap<Check, string>>;

/** The description of each check on the page. */
const meanings: Readonly<Record<Check, string>> = {
  "log in":
    "`mote login` with a wrong password, which is rejected and not stored, then with the right one; then a copy within the registry. `unchecked`: the registry allows anonymous reads, so it does not check a password before the first push",
  pull: "an image by its digest, then by its tag; the second time no blob is requested",
  private: "an image of a private repository: without a login, which is an error that says to log in, then with one",
  platform: "one platform of an index; no layer of the others is requested",
  "push twice":
    "an index of two images, one with a layer of 9 MB, whose tokens expire while its chunks are sent; then the same again, which sends no manifest and no tag. `blobs again`: HEAD of a blob does not show whether it exists, so it is sent",
  "push an index": "an index of two platforms: its images, then the index under its tag",
  "lost responses":
    "an image with a layer of 9 MB, of which the first chunk, the first blob and the first manifest are stored, but the response is lost and replaced by 503 from a proxy",
  "immutable tag":
    "an image to a tag that already points to it, which changes nothing; then another image to that tag, which is an error with the registry's message",
  referrers:
    "a push of an image with two referrers, twice, then a pull of all of them. `API`: the registry lists them; `tag`: mote maintains the list in the referrers tag",
  resume: "a layer whose download is interrupted: the rest is requested by a closed range, and nothing twice",
  "rate limit": "one manifest and one blob get the registry's response to too many requests, and are requested again",
  mount:
    "a copy to another repository. `mounted`: no blob is sent; `uploaded`: the registry does not mount, so mote sends them",
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
    "The registries that each run of the tests uses, and the results.",
    "",
    "These registries are simulated. Each is a small server in [`packages/testbed`](../../packages/testbed/src/registries) that follows the",
    "distribution specification except where users or documents report that the real one does not; the last table lists these",
    "behaviours with their sources. So the results show that mote handles what was reported, not how a service behaves today. Each",
    "simulated registry has its storage and its token service on other origins, and storage rejects requests with credentials, as S3 does.",
    "",
    "Other clients and servers validate the simulation: in the same run skopeo pulls from and pushes to each of the simulated registries",
    "(except to zot, which rejects its pushes as the simulated report says), and the tests of",
    "[`registry`](../../packages/registry/test) and [`cli`](../../apps/cli/test) use Debian's `docker-registry`, which is Distribution 2.",
    "",
    "## Results",
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
