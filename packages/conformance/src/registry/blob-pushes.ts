import { digestBytes } from "@mote/core";
import { locationOf, octets, type RegistryClient, type RegistryTests, text } from "./registry-client.js";

const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7) % 256);
const digest = digestBytes(bytes);

/** Tests of "Pushing blobs" (distribution-spec). */
export function blobPushes({ describe, it, expect, open, test }: RegistryTests): void {
  const expectStored = async (repository: RegistryClient, content = bytes, expected: string = digest) => {
    const answer = await repository.send("GET", `blobs/${expected}`);
    expect([answer.status, digestBytes(answer.bytes)]).toEqual([200, digestBytes(content)]);
    const head = await repository.send("HEAD", `blobs/${expected}`);
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(content.byteLength)]);
  };
  const expectMissing = async (repository: RegistryClient) =>
    expect((await repository.send("GET", `blobs/${digest}`)).status).toBe(404);

  describe("a pushed blob", () => {
    test("does not exist before it is pushed", async (repository) => {
      const answer = await repository.send("GET", `blobs/${digest}`);
      expect([answer.status, answer.codes]).toEqual([404, ["BLOB_UNKNOWN"]]);
    });

    test("may come with one POST", async (repository) => {
      const answer = await repository.send("POST", `blobs/uploads/?digest=${digest}`, { body: bytes, headers: octets });
      expect(answer.status).toBe(201);
      expect((await repository.send("GET", locationOf(answer))).bytes).toEqual(bytes);
      await expectStored(repository);
    });

    test("may come with a PUT after a POST", async (repository) => {
      const answer = await repository.pushBlob(bytes);
      expect([answer.status, answer.headers.get("docker-content-digest")]).toEqual([201, digest]);
      expect(await repository.status("GET", locationOf(answer))).toBe(200);
      await expectStored(repository);
    });

    it("may come in chunks, the last of them with the PUT or before it", async () => {
      for (const isLastWithPut of [true, false]) {
        const repository = await open();
        let location = await repository.begin();
        for (let start = 0; start < (isLastWithPut ? 4000 : 5000); start += 1000) {
          const answer = await repository.append(location, bytes.subarray(start, start + 1000), start);
          expect([answer.status, answer.headers.get("range")]).toEqual([202, `0-${start + 999}`]);
          location = locationOf(answer);
        }
        const last = { body: bytes.subarray(4000), headers: { ...octets, "content-range": "4000-4999" } };
        expect((await repository.finish(location, digest, isLastWithPut ? last : {})).status).toBe(201);
        await expectStored(repository);
      }
    });

    test("may come as a stream without a length", async (repository) => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let start = 0; start < 5000; start += 500) controller.enqueue(bytes.slice(start, start + 500));
          controller.close();
        },
      });
      const answer = await repository.send("PATCH", await repository.begin(), { body, headers: octets });
      expect([answer.status, answer.headers.get("range")]).toEqual([202, "0-4999"]);
      expect((await repository.finish(locationOf(answer), digest)).status).toBe(201);
      await expectStored(repository);
    });

    test("is rejected out of order, with the end of what is there", async (repository) => {
      const location = locationOf(await repository.append(await repository.begin(), bytes.subarray(0, 1000), 0));
      for (const start of [0, 500, 2000]) {
        const answer = await repository.append(location, bytes.subarray(start, start + 1000), start);
        expect([answer.status, answer.codes]).toEqual([416, ["BLOB_UPLOAD_INVALID"]]);
      }
      const put = { body: bytes.subarray(2000), headers: { ...octets, "content-range": "2000-4999" } };
      expect((await repository.finish(location, digest, put)).status).toBe(416);
      const status = await repository.send("GET", location);
      expect([status.status, status.headers.get("range")]).toEqual([204, "0-999"]);
      await repository.append(locationOf(status), bytes.subarray(1000), 1000);
      expect((await repository.finish(locationOf(status), digest)).status).toBe(201);
      await expectStored(repository);
    });

    test("is rejected with another digest or length than declared, and not stored", async (repository) => {
      const other = digestBytes(text("other"));
      const answers = [
        await repository.finish(await repository.begin(), other, { body: bytes, headers: octets }),
        await repository.send("POST", `blobs/uploads/?digest=${other}`, { body: bytes, headers: octets }),
        await repository.finish(await repository.begin(), "sha256:123", { body: bytes, headers: octets }),
        await repository.finish(await repository.begin(), "md5:d41d8cd98f00b204e9800998ecf8427e"),
      ];
      for (const answer of answers) expect([answer.status, answer.codes]).toEqual([400, ["DIGEST_INVALID"]]);
      const headers = { ...octets, "content-range": "0-99" };
      const wrong = await repository.send("PATCH", await repository.begin(), { body: bytes, headers });
      expect([wrong.status, wrong.codes]).toEqual([400, ["SIZE_INVALID"]]);
      expect((await repository.send("GET", `blobs/${other}`)).status).toBe(404);
      await expectMissing(repository);
    });

    test("may be empty, and may have a digest of another algorithm", async (repository) => {
      const empty = new Uint8Array();
      expect((await repository.finish(await repository.begin(), digestBytes(empty))).status).toBe(201);
      await expectStored(repository, empty, digestBytes(empty));
      const long = digestBytes(bytes, "sha512");
      const location = await repository.begin("?digest-algorithm=sha512");
      expect((await repository.finish(location, long, { body: bytes, headers: octets })).status).toBe(201);
      await expectStored(repository, bytes, long);
    });

    test("is not stored if its upload is cancelled", async (repository) => {
      const location = locationOf(await repository.append(await repository.begin(), bytes, 0));
      expect(await repository.status("DELETE", location)).toBe(204);
      for (const method of ["GET", "DELETE"]) {
        const answer = await repository.send(method, location);
        expect([answer.status, method === "GET" ? answer.codes : []]).toEqual([
          404,
          method === "GET" ? ["BLOB_UPLOAD_UNKNOWN"] : [],
        ]);
      }
      expect((await repository.finish(location, digest)).status).toBe(404);
      await expectMissing(repository);
    });

    test("is served in ranges", async (repository) => {
      await repository.pushBlob(bytes);
      for (const [range, start, end] of [
        ["bytes=0-99", 0, 100],
        ["bytes=4900-", 4900, 5000],
        ["bytes=-10", 4990, 5000],
      ] as const) {
        const answer = await repository.send("GET", `blobs/${digest}`, { headers: { range } });
        expect([answer.status, answer.headers.get("content-range")]).toEqual([206, `bytes ${start}-${end - 1}/5000`]);
        expect(answer.bytes).toEqual(bytes.subarray(start, end));
      }
      const beyond = await repository.send("GET", `blobs/${digest}`, { headers: { range: "bytes=5000-" } });
      expect(beyond.status).toBe(416);
    });
  });
}
