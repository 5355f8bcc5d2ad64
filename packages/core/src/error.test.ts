import { describe, expect, it } from "vitest";
import { isNotFound, MoteError } from "./error.js";

describe("MoteError", () => {
  it("has a code, message, cause and details", () => {
    const cause = new Error("below");
    const error = new MoteError("MOTE_IO", "reading failed", { cause, details: { path: "/x" } });
    expect(error).toMatchObject({
      name: "MoteError",
      code: "MOTE_IO",
      message: "reading failed",
      details: { path: "/x" },
    });
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
  });

  it("has no cause and details unless they are given", () => {
    const error = new MoteError("MOTE_CLOSED", "closed");
    expect("cause" in error).toBe(false);
    expect(error.details).toBe(undefined);
  });

  it("accepts codes of other packages", () => {
    expect(new MoteError("ACME_TIRED", "later").code).toBe("ACME_TIRED");
  });

  it("is recognized across duplicate installs by its marker only", () => {
    const fromOtherInstall = Object.assign(new Error("x"), { [Symbol.for("mote.error")]: true });
    expect(MoteError.isInstance(new MoteError("MOTE_IO", "x"))).toBe(true);
    expect(MoteError.isInstance(fromOtherInstall)).toBe(true);
    for (const other of [new Error("x"), { code: "MOTE_IO", [Symbol.for("mote.error")]: true }, null, "MOTE_IO"]) {
      expect(MoteError.isInstance(other)).toBe(false);
    }
  });
});

describe("isNotFound", () => {
  it("is true for MOTE_NOT_FOUND", () => {
    expect(isNotFound(new MoteError("MOTE_NOT_FOUND", "x"))).toBe(true);
  });

  it("is false for every other error", () => {
    const others = [
      new MoteError("MOTE_CORRUPT", "x"),
      new MoteError("MOTE_IO", "x"),
      new Error("MOTE_NOT_FOUND"),
      undefined,
    ];
    for (const other of others) expect(isNotFound(other)).toBe(false);
  });
});
