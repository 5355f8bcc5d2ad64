import { expect, it } from "vitest";
import { HeadLimit, timeoutError } from "./http-transport.js";

it("a limit for a response head ends the latest exchange, also one that begins after it was exceeded", () => {
  const ended: string[] = [];
  const limit = new HeadLimit();
  limit.onExceeded(() => ended.push("first"));
  limit.onExceeded(({ message }) => ended.push(`second: ${message}`));
  limit.exceed(timeoutError("late"));
  limit.onExceeded(({ message }) => ended.push(`third: ${message}`));
  expect(ended).toEqual(["second: late", "third: late"]);
});
