import { digestBytes } from "@mote/core";
import { locationOf, octets, type RegistryTests, text } from "./registry-client.js";

const bytes = text("a blob that is mounted");
const digest = digestBytes(bytes);

/** Tests of "Mounting a blob from another repository" (distribution-spec). */
export function mounts({ describe, expect, open, test }: RegistryTests): void {
  describe("a mount", () => {
    test("gives a repository the blob of another one, and leaves it there", async (one) => {
      const other = await open();
      await one.pushBlob(bytes);
      expect((await other.send("GET", `blobs/${digest}`)).status).toBe(404);
      const answer = await other.send("POST", `blobs/uploads/?mount=${digest}&from=${one.name}`);
      expect([answer.status, locationOf(answer) === ""]).toEqual([201, false]);
      for (const repository of [one, other])
        expect((await repository.send("GET", `blobs/${digest}`)).bytes).toEqual(bytes);
      expect((await other.send("DELETE", `blobs/${digest}`)).status).toBe(202);
      expect((await one.send("GET", `blobs/${digest}`)).status).toBe(200);
    });

    test("of a blob that the other repository does not have starts an upload", async (one) => {
      const other = await open();
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
