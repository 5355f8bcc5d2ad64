import { expect, it } from "vitest";
import { parseBasicCredentials } from "./basic-credentials.js";

const encode = (text: string) => Buffer.from(text).toString("base64");

it.each([
  [undefined, undefined],
  [`Basic ${encode(":")}`, undefined],
  [`Basic ${encode("ann:secret")}`, { user: "ann", password: "secret" }],
  [`bASIC   ${encode("ann:a:b")}`, { user: "ann", password: "a:b" }],
  [`Basic ${encode("ann:")}`, { user: "ann", password: "" }],
  [`Basic ${encode(":secret")}`, "invalid"],
  [`Basic ${encode("ann")}`, "invalid"],
  ["Basic", "invalid"],
  ["Basic ", "invalid"],
  ["Basic not base64", "invalid"],
  ["Bearer abc", "invalid"],
  ["", "invalid"],
])("the header %j is read as %j", (header, credentials) => {
  expect(parseBasicCredentials(header)).toEqual(credentials);
});
