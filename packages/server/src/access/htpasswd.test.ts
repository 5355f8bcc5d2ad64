import { describe, expect, it } from "vitest";
import { parseHtpasswd } from "./htpasswd.js";

const hash = `$2y$05$${"a".repeat(53)}`;

describe("a htpasswd file", () => {
  it("has a user and a bcrypt hash per line, empty lines and comments", () => {
    const text = `# users\r\nann:${hash}\r\n\n  \nbob:${hash.replace("2y", "2b")}\n`;
    expect([...parseHtpasswd(text, "f").keys()]).toEqual(["ann", "bob"]);
    expect(parseHtpasswd(text, "f").get("ann")).toBe(hash);
  });

  it.each([
    ["bob:$apr1$salt$hash", 'the user "bob" is not bcrypt'],
    ["bob:{SHA}abc", 'the user "bob" is not bcrypt'],
    ["bob:secret", 'the user "bob" is not bcrypt'],
    [`bob:$2y$17$${"a".repeat(53)}`, "cost 17"],
    [`bob:$2y$03$${"a".repeat(53)}`, "cost 03"],
    [`ann:${hash}`, "another line"],
    ["nonsense", "USER:HASH"],
    [`:${hash}`, "USER:HASH"],
    ["b\u001b[2Job:x", String.raw`"b\u001b[2Job"`],
  ])("is rejected with the line %j, by its number and without its hash", (line, reason) => {
    const parse = () => parseHtpasswd(`ann:${hash}\n${line}\n`, "users");
    expect(parse).toThrow(expect.objectContaining({ code: "MOTE_CONFIG" }));
    expect(parse).toThrow(reason);
    expect(parse).toThrow("line 2 of users");
    expect(parse).not.toThrow("secret");
  });
});
