import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stopIn } from "./child-process.js";
import { isInstalled } from "./installed.js";
import { freePort } from "./loopback.js";
import { type S3Server, s3Server } from "./s3-server.js";

const module = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
/** `.ci/run` builds it there, if Go is installed; VERSITYGW names another one. */
const built = join(tmpdir(), "mote-versitygw", "versitygw");

/** Returns why versitygw cannot be tested, as the suffix of a test's title; an empty string if it can. */
export function needsVersitygw(): string {
  if (programOf() !== undefined) return "";
  return ` (SKIPPED: go install ${module}, and put it in the PATH)`;
}

/** Starts versitygw over a temporary folder. */
export async function startVersitygw(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "mote-versitygw-"));
  const data = join(folder, "data");
  await mkdir(data);
  const port = await freePort();
  const keys = { accessKeyId: "MOTETESTS", secretAccessKey: randomUUID() };
  const options = ["--access", keys.accessKeyId, "--secret", keys.secretAccessKey, "--port", `127.0.0.1:${port}`];
  const child = spawn(programOf() ?? "versitygw", [...options, "--keep-alive", "--quiet", "posix", data], {
    stdio: "ignore",
  });
  const stop = () => stopIn(folder, child);
  return await s3Server({ name: "versitygw", endpoint: `http://127.0.0.1:${port}`, ...keys, stop });
}

function programOf(): string | undefined {
  if (process.env.VERSITYGW) return process.env.VERSITYGW;
  if (existsSync(built)) return built;
  return isInstalled("versitygw") ? "versitygw" : undefined;
}
