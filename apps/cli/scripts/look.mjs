/**
 * Takes the screens in docs/captures/screens, to be looked at after a change of what is shown: real commands on a terminal that tmux plays, against a registry behind a slow line. By hand:
 * `pnpm build && node apps/cli/scripts/look.mjs`. Wants tmux and docker-registry.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const captures = fileURLToPath(new URL("../../../docs/captures/screens/", import.meta.url));
const socket = `mote-capture-${process.pid}`;
const bytesPerSecond = 6e6;

const dir = mkdtempSync(join(tmpdir(), "mote-capture-"));
const env = {
  PATH: `${dir}/bin:${process.env.PATH}`,
  HOME: dir,
  TERM: "xterm-256color",
  LC_ALL: "C.UTF-8",
  PS1: "$ ",
  ENV: "",
};
const mote = (...args) => execFileSync(process.execPath, [main, ...args], { env, encoding: "utf8", cwd: dir });
const tmux = (...args) =>
  execFileSync("tmux", ["-L", socket, "-f", "/dev/null", ...args], { env, encoding: "utf8", cwd: dir });

/** A registry with an artifact of real bytes, the first tens of megabytes of Node's own binary. */
async function startRegistry() {
  mkdirSync(join(dir, "bin"));
  writeFileSync(join(dir, "bin", "mote"), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  chmodSync(join(dir, "bin", "mote"), 0o755);
  const parts = { "weights.bin": [0, 24e6], "vocabulary.bin": [24e6, 33e6], "tokenizer.bin": [33e6, 36e6] };
  for (const [name, [start, end]] of Object.entries(parts)) {
    await pipeline(createReadStream(process.execPath, { start, end: end - 1 }), createWriteStream(join(dir, name)));
  }
  const port = await freePort();
  const config = `version: 0.1\nhttp: {addr: "127.0.0.1:${port}"}\nstorage: {filesystem: {rootdirectory: ${join(dir, "registry")}}}\n`;
  writeFileSync(join(dir, "registry.yml"), config);
  const child = spawn("docker-registry", ["serve", join(dir, "registry.yml")], { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise((resolve) => {
    let log = "";
    child.stderr.on("data", (chunk) => {
      log += chunk;
      if (log.includes("listening on")) resolve();
    });
  });
  mote("push", ...Object.keys(parts), `docker://127.0.0.1:${port}/acme/model:7b`, "--cache", "upstream", "--quiet");
  return { port, end: () => child.kill("SIGTERM") };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Lets bytes through no faster than a line would. */
async function startSlowLine(port) {
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const slow = new Transform({
      highWaterMark: 65_536,
      async transform(chunk, _encoding, done) {
        await wait((chunk.byteLength / bytesPerSecond) * 1000 * 2);
        done(null, chunk);
      },
    });
    client.pipe(upstream);
    upstream.pipe(slow).pipe(client);
    for (const end of [client, upstream]) end.on("error", () => end.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: server.address().port, end: () => server.close() };
}

/** Types a line into a terminal of its own, and takes what the screen shows `afterMs` later. */
async function capture(name, columns, line, afterMs) {
  tmux("new-session", "-d", "-s", name, "-x", String(columns), "-y", "90", "/bin/sh");
  tmux("send-keys", "-t", name, "clear", "Enter");
  await wait(300);
  tmux("send-keys", "-t", name, line, "Enter");
  await wait(afterMs);
  const screen = tmux("capture-pane", "-p", "-t", name).trimEnd();
  // Whoever runs this: the same folder, port (of as many digits) and prompt.
  const told = screen
    .replaceAll(dir, "~")
    .replaceAll(/127\.0\.0\.1:(\d+)/g, (_host, port) => `127.0.0.1:${"50000".slice(0, port.length)}`)
    .replaceAll(/^[#$] ?$/gm, "")
    .replaceAll(/^[#$] mote/gm, "$ mote");
  writeFileSync(join(captures, `${name}.txt`), `${told.trimEnd()}\n`);
}

const registry = await startRegistry();
const line = await startSlowLine(registry.port);
try {
  mkdirSync(captures, { recursive: true });
  const from = `127.0.0.1:${line.port}/acme/model:7b`;
  for (const columns of [80, 120]) {
    await capture(`pull-${columns}`, columns, `mote pull ${from} ./model-${columns}/ --cache cache-${columns}`, 4500);
    await wait(8000);
    await capture(`pulled-${columns}`, columns, `mote pull ${from} ./again-${columns}/ --cache cache-${columns}`, 2500);
    for (const command of ["ls", "du", "--help", "pull --help"]) {
      const title = command.replaceAll(/[^a-z]+/g, "-").replace(/^-/, "");
      await capture(
        `${title}-${columns}`,
        columns,
        command.includes("--help") ? `mote ${command}` : `mote ${command} --cache cache-${columns}`,
        1500,
      );
    }
  }
} finally {
  try {
    tmux("kill-server");
  } catch {}
  line.end();
  registry.end();
  rmSync(dir, { recursive: true, force: true });
}
