import { digestBytes } from "@mote/core";
import type { TestApi } from "../test-api.js";
import { locationOf, octets, type RegistryClient, text } from "./registry-client.js";

const bytes = text("a blob that is mounted");
const digest = digestBytes(bytes);

/** Tests of "Mounting a blob from another repository" (distribution-spec). */
export function mounts(
  { describe, it, expect }: TestApi,
  open: () => Promise<{ readonly one: RegistryClient; readonly other: RegistryClient }>,
): void {
  describe("a mount", () => {
    it("gives a repository the blob of another one, and leaves it there", async () => {
      const { one, other } = await open();
      await one.pushBlob(bytes);
      expect((await other.send("GET", `blobs/${digest}`)).status).toBe(404);
      const answer = await other.send("POST", `blobs/uploads/?mount=${digest}&from=${one.name}`);
      expect([answer.status, locationOf(answer) === ""]).toEqual([201, false]);
      for (const repository of [one, other])
        expect((await repository.send("GET", `blobs/${digest}`)).bytes).toEqual(bytes);
      expect((await other.send("DELETE", `blobs/${digest}`)).status).toBe(202);
      expect((await one.send("GET", `blobs/${digest}`)).status).toBe(200);
    });

    it("of a blob that the other repository does not have starts an upload", async () => {
      const { one, other } = await open();
      await one.pushBlob(text("something else"));
      for (const from of [`&from=${one.name}`, "&from=not/there", "&from=..%2F..%2Fx", ""]) {
        const answer = await other.send("POST", `blobs/uploads/?mount=${digest}${from}`);
        expect(answer.status).toBe(202);
        const put = await other.finish(locationOf(answer), digest, { body: bytes, headers: octets });
        expect(put.status).toBe(201);
        await other.send("DELETE", `blobs/${digest}`);
      }
    });
  });
}
