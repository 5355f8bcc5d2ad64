import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openMote } from "@mote/preset";
import { needs } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDemoImage } from "../src/demo-image.js";
import { run, runMote } from "./run-mote.js";

const wanted = needs("skopeo");

/** The notation of each location, for both mote and skopeo. */
const places: Readonly<Record<string, (dir: string, name: string) => string>> = {
  oci: (dir, name) => `oci:${join(dir, name)}:1`,
  "oci-archive": (dir, name) => `oci-archive:${join(dir, name)}.tar:1`,
  "docker-archive": (dir, name) => `docker-archive:${join(dir, name)}.tar:example.org/lib/tools:1`,
  dir: (dir, name) => `dir:${join(dir, name)}`,
};

describe.skipIf(wanted !== "")(`every transport, in both directions with skopeo${wanted}`, () => {
  let dir: string;
  let origin: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-transports-"));
    await using mote = await openMote({ dir: join(dir, "origin") });
    await mote.tags.tag("1", await makeDemoImage(mote.cache));
    origin = `oci:${join(dir, "origin")}:1`;
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  async function skopeo(...args: string[]): Promise<string> {
    const ended = await run("skopeo", ["--insecure-policy", ...args], { env: { TMPDIR: dir } });
    if (ended.status !== 0) throw new Error(`skopeo ${args.join(" ")}: ${ended.stderr}`);
    return ended.stdout;
  }

  async function copy(source: string, destination: string): Promise<void> {
    const ended = await runMote(["copy", source, destination, "--cache", join(dir, "cache"), "--quiet"]);
    if (ended.status !== 0) throw new Error(`mote copy ${source} ${destination}: ${ended.stderr}`);
  }

  /** Returns the uncompressed digests of the layers, which compression does not change. */
  async function diffIds(place: string): Promise<unknown> {
    return JSON.parse(await skopeo("inspect", "--config", place)).rootfs.diff_ids;
  }

  for (const [name, place] of Object.entries(places)) {
    it(`skopeo reads what mote writes to ${name}`, async () => {
      const written = place(dir, `ours-${name}`);
      await copy(origin, written);
      expect(await diffIds(written)).toEqual(await diffIds(origin));
      await skopeo("copy", written, `dir:${join(dir, `checked-${name}`)}`);
    });

    it(`mote reads what skopeo writes to ${name}`, async () => {
      const written = place(dir, `theirs-${name}`);
      await skopeo("copy", origin, written);
      const back = `oci:${join(dir, `back-${name}`)}:1`;
      await copy(written, back);
      expect(await diffIds(back)).toEqual(await diffIds(origin));
    });
  }
});
