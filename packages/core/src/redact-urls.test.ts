import { describe, expect, it } from "vitest";
import { redactUrl, redactUrls } from "./redact-urls.js";

describe("a text with URLs", () => {
  it.each([
    ["http://ann:s3cret@proxy.example:3128", "http://***@proxy.example:3128"],
    ["https://token@r.example/v2/", "https://***@r.example/v2/"],
    ["see https://r.example:5000/a@sha256:00", "see https://r.example:5000/a@sha256:00"],
    ["https://s.example/a?sig=s3cret&x=1 and more", "https://s.example/a?*** and more"],
    ['"https://s.example/a#s3cret"', '"https://s.example/a#***"'],
    ["http://ann:p@ss@h.example/", "http://***@h.example/"],
    ["http://ann:pa/ss@h.example/x", "http://***@h.example/x"],
    ["http://ann:pa?ss@h.example/x", "http://***@h.example/x"],
    ["http://a.example,http://ann:s3cret@h.example", "http://a.example,http://***@h.example"],
    ["http://proxy.example/http://ann:s3cret@h.example/x", "http://proxy.example/http://***@h.example/x"],
    ["http://[::1]:5000/a@sha256:00", "http://[::1]:5000/a@sha256:00"],
    ["redis://:s3cret@h.example:6379/0", "redis://***@h.example:6379/0"],
    ["http://@h.example", "http://@h.example"],
    ["no URL: a@b ://c@d", "no URL: a@b ://c@d"],
    ["docker.io/a@sha256:00", "docker.io/a@sha256:00"],
    ["", ""],
  ])("%s is shown as %s", (text, shown) => {
    expect(redactUrls(text)).toBe(shown);
  });

  it("is redacted in linear time", () => {
    // Each of these makes a pattern with a nested or unanchored quantifier look at the rest of the text again for every URL.
    const hostile = ["a://", "a://b:c/", "://", "a://b,", "a://?", "a:/", "http://a:b@", "a://b:c@/?d "];
    for (const piece of hostile) {
      const length = 32 * 1024;
      const text = piece.repeat(length / piece.length);
      expect(stepsOf(text.slice(0, length / 2)) * 2.2).toBeGreaterThan(stepsOf(text));
    }
  });
});

describe("one URL", () => {
  it("is shown without its user, with or without a scheme", () => {
    expect(redactUrl("ann:s3cret@mirror.example/path")).toBe("***@mirror.example/path");
    expect(redactUrl("http://ann:s3cret@mirror.example")).toBe("http://***@mirror.example");
    expect(redactUrl("mirror.example:5000/path")).toBe("mirror.example:5000/path");
  });
});

/** Counts the reads and copies of characters. */
function stepsOf(text: string): number {
  let steps = 0;
  const counting = new Proxy(new String(text), {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") {
        steps++;
        return value;
      }
      return (...given: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, given);
        const [, from = 0] = given;
        if (name === "indexOf") steps += Math.abs((Number(result) < 0 ? text.length : Number(result)) - Number(from));
        else if (name === "slice") steps += String(result).length;
        else steps++;
        return result;
      };
    },
  });
  redactUrls(counting as unknown as string);
  return steps;
}
