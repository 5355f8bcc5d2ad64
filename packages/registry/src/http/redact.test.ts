import { describe, expect, it } from "vitest";
import { statusError } from "../reports/status-error.js";
import { redact, secretsIn } from "./redact.js";

const basic = Buffer.from("ann:s3cret").toString("base64");

describe("the text of a server", () => {
  it("is shown without the secrets that the server received", () => {
    const shown = secretsIn(`Basic ${basic}`);
    expect(redact(`no: Basic ${basic}, that is ann:s3cret, or s3cret`, shown)).toBe(
      "no: Basic ***, that is ***, or ***",
    );
    expect(redact("no: Bearer abc.def", secretsIn("Bearer abc.def"))).toBe("no: Bearer ***");
    expect(redact("nothing", secretsIn(undefined))).toBe("nothing");
  });

  it("is shown without the secrets that the server received, in the notation of JSON and URLs", () => {
    const shown = secretsIn(`Basic ${Buffer.from('ann:s"3c/ret').toString("base64")}`);
    expect(redact('{"message":"no: s\\"3c/ret"} s%223c%2Fret ann%3As%223c%2Fret', shown)).toBe(
      '{"message":"no: ***"} *** ***',
    );
  });

  it.each([
    ["Authorization: Basic dTpwdw== failed", "Authorization: Basic *** failed"],
    ["authorization=Bearer a.b-c", "authorization=Bearer ***"],
    ['{"password":"pw1","user":"ann"}', '{"password":"***","user":"ann"}'],
    ['{"m":"{\\"access_token\\": \\"a.b\\"}"}', '{"m":"{\\"access_token\\": \\"***\\"}"}'],
    ['{"token":"a.b.c"}', '{"token":"***"}'],
    ["user=ann&password=pw1&x=1", "user=ann&password=***&x=1"],
    ["passwd: pw1, client_secret=cs1; api_key='ak1'", "passwd: ***, client_secret=***; api_key='***'"],
    ["invalid token: signature has expired", "invalid token: signature has expired"],
    [
      "wrong password or user; Bearer authorization is required",
      "wrong password or user; Bearer authorization is required",
    ],
  ])("is shown without values that it calls a password or a token: %s", (text, expected) => {
    expect(redact(text, [])).toBe(expected);
  });

  it("is shown without the users and queries of URLs", () => {
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
    statusError(subject, { status: 418, text, secrets }, "a blob").message;

  it("does not show the beginning of a secret that the length limit cuts", () => {
    for (let cut = 0; cut < 8; cut++) {
      const text = `${" ".repeat(64 * 1024 - cut)}s3cretpw and more`;
      expect(told(text, ["s3cretpw"])).not.toContain("s3");
    }
  });

  it("contains its beginning, for any body", () => {
    for (const piece of [
      "a://",
      "<",
      "[[",
      "://@",
      '{"errors":',
      "\\n ",
      "a://b:c/",
      "authorization: ",
      "password",
      "token=",
    ]) {
      expect(told(piece.repeat(500_000)).length).toBeLessThan(400);
    }
  });
});
