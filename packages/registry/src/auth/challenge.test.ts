import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseChallenges } from "./challenge.js";

describe("challenges of WWW-Authenticate", () => {
  it("are parsed with quoted and plain values, in any case and spacing", () => {
    const header =
      'bEaReR Realm="https://auth.example/token?a=1,2",service=registry , SCOPE = "repository:a/b:pull,push"';
    expect(parseChallenges(header)).toEqual([
      {
        scheme: "bearer",
        parameters: {
          realm: "https://auth.example/token?a=1,2",
          service: "registry",
          scope: "repository:a/b:pull,push",
        },
      },
    ]);
  });

  it("are separated, in one header or several", () => {
    const one = 'Basic realm="a, Bearer realm=\\"x\\"", Negotiate, NTLM YWJjZA==, Bearer realm="https://b/"';
    expect(parseChallenges(one).map(({ scheme }) => scheme)).toEqual(["basic", "negotiate", "ntlm", "bearer"]);
    expect(parseChallenges(one)[0]?.parameters).toEqual({ realm: 'a, Bearer realm="x"' });
    expect(parseChallenges(one)[3]?.parameters).toEqual({ realm: "https://b/" });
    expect(parseChallenges(["Basic realm=a", "Bearer realm=b"]).map(({ scheme }) => scheme)).toEqual([
      "basic",
      "bearer",
    ]);
  });

  it("use the first of two values of a parameter", () => {
    expect(parseChallenges('Bearer realm="https://a/",realm="https://evil/"')[0]?.parameters.realm).toBe("https://a/");
  });

  it("that are not valid are ignored, and no parameter is read from Object.prototype", () => {
    for (const header of [undefined, "", " , ,", '"', "=", '"Basic"']) expect(parseChallenges(header)).toEqual([]);
    expect(parseChallenges("Bearer service=x")[0]?.parameters.constructor).toBeUndefined();
  });

  it("are parsed from any text", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("", "Bearer ", 'Basic realm="'), (text, start) => {
        expect(Array.isArray(parseChallenges(start + text))).toBe(true);
      }),
    );
  });

  it("are parsed as they were written, for any values", () => {
    const value = fc.string({ unit: "grapheme-ascii" });
    fc.assert(
      fc.property(value, value, (realm, scope) => {
        const quote = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
        const header = `Basic realm=${quote(scope)}, Bearer realm=${quote(realm)},scope=${quote(scope)}`;
        expect(parseChallenges(header)).toEqual([
          { scheme: "basic", parameters: { realm: scope } },
          { scheme: "bearer", parameters: { realm, scope } },
        ]);
      }),
    );
  });
});
