import { describe, expect, it } from "vitest";
import { statusFault } from "./fault.js";
import { redact, secretsIn } from "./redact.js";

const basic = Buffer.from("ann:s3cret").toString("base64");

describe("a server's text", () => {
  it("is told without what the server was shown", () => {
    const shown = secretsIn(`Basic ${basic}`);
    expect(redact(`no: Basic ${basic}, that is ann:s3cret, or s3cret`, shown)).toBe(
      "no: Basic ***, that is ***, or ***",
    );
    expect(redact("no: Bearer abc.def", secretsIn("Bearer abc.def"))).toBe("no: Bearer ***");
    expect(redact("nothing", secretsIn(undefined))).toBe("nothing");
  });

  it("is told without the users and the queries of URLs", () => {
    const text =
      'at https://ann:s3cret@s.example/a?sig=s3cret&x=1 and "http://s.example/b#s3cret", see https://s.example/c';
    expect(redact(text, [])).toBe(
      'at https://***@s.example/a?*** and "http://s.example/b#***", see https://s.example/c',
    );
  });
});

describe("the error of a response with a long body", () => {
  const subject = { registry: "r.example" };
  const told = (text: string, secrets: readonly string[] = []) =>
    statusFault(subject, { status: 418, text, secrets }, "a blob").message;

  it("does not tell the beginning of a secret that the bound on its length cut in two", () => {
    for (let cut = 0; cut < 8; cut++) {
      const text = `${" ".repeat(64 * 1024 - cut)}s3cretpw and more`;
      expect(told(text, ["s3cretpw"])).not.toContain("s3");
    }
  });

  it("is made of its beginning, whatever it is", () => {
    for (const piece of ["a://", "<", "[[", "://@", '{"errors":', "\\n ", "a://b:c/"]) {
      expect(told(piece.repeat(500_000)).length).toBeLessThan(400);
    }
  });
});
