import { EventEmitter } from "node:events";
import { compareSync, hashSync } from "bcryptjs";
import { expect, it } from "vitest";
import { checkPasswords, type PasswordAnswer } from "./password-worker.js";

it("the thread answers whether a password matches its hash", () => {
  const port = Object.assign(new EventEmitter(), {
    answers: [] as PasswordAnswer[],
    postMessage: (answer: PasswordAnswer) => port.answers.push(answer),
  });
  checkPasswords({ parentPort: port } as never, { compareSync });
  const hash = hashSync("right", 4).replace("$2b$", "$2y$");
  port.emit("message", { id: 1, password: "right", hash });
  port.emit("message", { id: 2, password: "wrong", hash });
  expect(port.answers).toEqual([
    { id: 1, isMatch: true },
    { id: 2, isMatch: false },
  ]);
});
