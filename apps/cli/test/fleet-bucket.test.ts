import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needs, needsVersitygw, startRadosgw, startVersitygw } from "@mote/testbed";
import { describe, expect, it } from "vitest";
import { startCountingUpstream } from "./counting-upstream.js";
import { killLeader, layerBytes, pausedAt, pull, startMember } from "./fleet-setup.js";
import { endServing } from "./start-serve.js";

const services = [
  { name: "radosgw", start: startRadosgw, missing: needs("ceph", "ceph-mon", "ceph-osd", "radosgw") },
  { name: "versitygw", start: startVersitygw, missing: needsVersitygw() },
] as const;
// Leases are tested with both elsewhere.
const { name, start, missing } = services.find((service) => service.missing === "") ?? services[0];

describe(`several mote serve with --advertise and a bucket of ${name}${missing}`, () => {
  it.skipIf(missing !== "")(
    "read each blob once from the upstream, even if one is killed, and write it to the bucket",
    async () => {
      const root = mkdtempSync(join(tmpdir(), "mote-fleet-bucket-"));
      await using service = await start();
      await using upstream = await startCountingUpstream();
      const { digests, layer } = upstream.addImage("1", layerBytes);
      const resume = upstream.pause(layer, pausedAt);
      const env = {
        AWS_ACCESS_KEY_ID: service.accessKeyId,
        AWS_SECRET_ACCESS_KEY: service.secretAccessKey,
        AWS_REGION: "us-east-1",
        AWS_ENDPOINT_URL_S3: service.endpoint,
      };
      const shared = ["--tier", `s3://${await service.createBucket()}/fleet`];
      const newMember = () => startMember({ root, upstream, env }, shared);
      try {
        const members = await Promise.all([newMember(), newMember(), newMember()]);
        const pulls = members.map((member) => pull(member, "1"));
        for (const each of pulls) each.catch(() => {});
        const leader = await killLeader(members, layer);
        resume();
        const left = members.filter((member) => member !== leader);
        for (const member of left) expect(await pulls[members.indexOf(member)]).toEqual(digests);
        // They end when the bucket has what they have fetched.
        for (const { child } of left) {
          const ended = once(child, "exit");
          child.kill("SIGTERM");
          expect(await ended).toEqual([0, null]);
        }
        expect(await pull(await newMember(), "1")).toEqual(digests);
        const [manifest, config] = digests;
        expect(upstream.reads.get(layer)).toEqual([0, pausedAt]);
        // The killed one may not have written them.
        for (const digest of [manifest, config])
          expect(upstream.reads.get(digest ?? "")?.length).toBeLessThanOrEqual(2);
      } finally {
        await endServing();
        rmSync(root, { recursive: true, force: true });
      }
    },
    180_000,
  );
});
