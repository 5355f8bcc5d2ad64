import { describe, expect, it } from "vitest";
import { digestBytes } from "./digest.js";
import { mediaTypes } from "./media-type.js";
import type { MoteInfo } from "./mote.js";
import { NilCache } from "./nil-cache.js";
import { VerifyingWriter } from "./verifying-writer.js";
import { writeMote } from "./write-mote.js";

const bytes = new TextEncoder().encode("some content");
const mote = { digest: digestBytes(bytes), mediaType: mediaTypes.octetStream, size: bytes.byteLength };

describe("writeMote", () => {
  it("writes bytes or chunks and describes the stored mote", async () => {
    expect(await writeMote(new NilCache(), mote, bytes)).toEqual(mote);
    const { digest, mediaType } = mote;
    const chunks = [bytes.subarray(0, 3), bytes.subarray(3)];
    expect(await writeMote(new NilCache(), { digest, mediaType }, chunks)).toEqual(mote);
  });

  it("rejects a wrong size or digest", async () => {
    const wrong = bytes.with(0, 1);
    await expect(writeMote(new NilCache(), mote, wrong)).rejects.toMatchObject({ code: "MOTE_DIGEST_MISMATCH" });
    await expect(writeMote(new NilCache(), mote, [])).rejects.toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
  });

  it("rejects with the signal's reason once it is aborted", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeMote(new NilCache(), mote, [bytes], { signal })).rejects.toThrow("enough");
  });
});

class Target {
  readonly calls: string[] = [];
  fail: Error | undefined;

  write = (chunk: Uint8Array) => void this.calls.push(`write ${chunk.byteLength}`);
  discard = () => void this.calls.push("discard");
  commit = ({ size }: MoteInfo) => {
    this.calls.push(`commit ${size}`);
    if (this.fail) throw this.fail;
  };
}

describe("a verifying writer", () => {
  it("commits matching bytes once and ignores a later abort", async () => {
    const target = new Target();
    const writer = new VerifyingWriter(mote, target);
    await writer.write(bytes);
    expect(await writer.close()).toEqual(mote);
    await writer.close();
    await writer.abort();
    expect(target.calls).toEqual(["write 12", "commit 12"]);
    await expect(writer.write(bytes)).rejects.toMatchObject({ code: "MOTE_CLOSED" });
  });

  it("discards the bytes once if they do not match, the write is aborted or the commit fails", async () => {
    const wrong = new Target();
    const cut = new VerifyingWriter(mote, wrong);
    await expect(cut.close()).rejects.toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
    await cut.abort();
    expect(wrong.calls).toEqual(["discard"]);

    const aborted = new Target();
    const writer = new VerifyingWriter(mote, aborted);
    await writer.abort();
    await expect(writer.close()).rejects.toMatchObject({ code: "MOTE_CLOSED" });
    expect(aborted.calls).toEqual(["discard"]);

    const failing = new Target();
    failing.fail = new Error("no space");
    const last = new VerifyingWriter(mote, failing);
    await last.write(bytes);
    await expect(last.close()).rejects.toThrow("no space");
    expect(failing.calls).toEqual(["write 12", "commit 12", "discard"]);
  });

  it("does not write excess bytes to the target", async () => {
    const target = new Target();
    const writer = new VerifyingWriter(mote, target);
    await expect(writer.write(new Uint8Array(13))).rejects.toMatchObject({ code: "MOTE_SIZE_MISMATCH" });
    expect(target.calls).toEqual([]);
  });
});
