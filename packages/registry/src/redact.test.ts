import { describe, expect, it } from "vitest";
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
