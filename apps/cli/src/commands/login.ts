import type { Context } from "../context.js";
import { Prompt } from "../input/prompt.js";
import { UsageError } from "../input/usage-error.js";
import { logIn } from "../wire.js";

export interface LoginOptions {
  readonly username?: string;
  readonly passwordStdin: boolean;
}

export async function login(context: Context, host: string, options: LoginOptions): Promise<void> {
  const { out } = context;
  const { username, password } = await readLogin(context, host, options);
  if (username === "" || password === "") throw new UsageError("user name and password must not be empty");
  if (username.includes(":")) throw new UsageError("the user name must not contain a colon");
  const { registry, keptIn, isChecked } = await logIn(context, host, { username, password });
  if (!isChecked) out.warn(`${registry} requires no login, so the password was not checked`);
  out.result({ registry, username, keptIn, checked: isChecked }, [
    `logged in to ${registry} as ${username}; credentials stored in ${keptIn}`,
  ]);
}

async function readLogin({ signal }: Context, host: string, { username, passwordStdin }: LoginOptions) {
  if (passwordStdin) {
    if (username === undefined) throw new UsageError("--password-stdin requires --username");
    return { username, password: await readStdin() };
  }
  if (!process.stdin.isTTY) {
    throw new UsageError(
      "cannot prompt for the password: stdin is not a terminal; use --username NAME --password-stdin",
    );
  }
  using prompt = new Prompt({ signal });
  return {
    username: username ?? (await prompt.ask(`User name for ${host}: `)),
    password: await prompt.askHidden("Password: "),
  };
}

/** Reads a password without the trailing newline that `echo` and editors add. */
async function readStdin(): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of process.stdin) text += decoder.decode(chunk, { stream: true });
  let end = text.length;
  while (end > 0 && (text[end - 1] === "\n" || text[end - 1] === "\r")) end--;
  return text.slice(0, end);
}
