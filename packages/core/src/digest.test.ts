import { describe, expect, it } from "vitest";
import { createDigester, digestBytes, isDigest, parseDigest } from "./digest.js";
import { MoteError } from "./error.js";

const hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    return MoteError.isInstance(error) ? error.code : String(error);
  }
  return undefined;
}

describe("digests", () => {
  it("are valid if they follow the OCI grammar and their algorithm", () => {
    expect(parseDigest(hello)).toBe(hello);
    expect(parseDigest(`sha512:${"0".repeat(128)}`)).toHaveLength(135);
    expect(isDigest(hello)).toBe(true);
  });

  it("are invalid if they are malformed, upper case, too short or a path", () => {
    const malformed = [
      "",
      "sha256",
      "sha256:",
      hello.toUpperCase(),
      hello.slice(0, -1),
      `${hello}0`,
      "sha256:../../../etc/passwd",
    ];
    for (const text of malformed) {
      expect([text, codeOf(() => parseDigest(text))]).toEqual([text, "MOTE_INVALID_DIGEST"]);
      expect(isDigest(text)).toBe(false);
    }
  });

  it("of an unsupported algorithm have their own error code", () => {
    expect(codeOf(() => parseDigest("md5:5d41402abc4b2a76b9719d911017c592"))).toBe("MOTE_UNSUPPORTED_ALGORITHM");
    expect(codeOf(() => parseDigest("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"))).toBe(
      "MOTE_UNSUPPORTED_ALGORITHM",
    );
    expect(codeOf(() => createDigester("md5" as "sha256"))).toBe("MOTE_UNSUPPORTED_ALGORITHM");
  });

  it("are the same for one call and several updates, and a finished digester accepts no more bytes", () => {
    const digester = createDigester();
    digester.update(new TextEncoder().encode("hel"));
    digester.update(new TextEncoder().encode("lo"));
    expect(digester.digest()).toBe(hello);
    expect(digester.digest()).toBe(digestBytes(new TextEncoder().encode("hello")));
    expect(codeOf(() => digester.update(new Uint8Array(1)))).toBe("MOTE_CLOSED");
  });
});
