// Makes the pictures of the terminal in this folder: runs the built command in tmux, 80 columns wide, and draws what the screen shows.
// `pnpm docs:captures`. Wants tmux. Reads nothing of yours: home, cache and registry are made for it.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawScreen } from "./draw-screen.mjs";
import { seedCache } from "./seed-cache.mjs";

const columns = 80;
const port = 5000;
const here = fileURLToPath(new URL(".", import.meta.url));
const command = fileURLToPath(new URL("../../apps/cli/dist/main.js", import.meta.url));
const host = `127.0.0.1:${port}`;

/** File → what is typed. They share one cache, in this order. */
const captures = {
  pull: [`mote pull ${host}/team/app:1.0 oci:build:1.0`, `mote pull ${host}/team/app:1.0 oci:again:1.0`],
  ls: [`mote pull -q ${host}/team/app:1.1`, `mote pull -q ${host}/team/model:7b`, "mote ls"],
  du: ["mote du"],
};

const folder = mkdtempSync(join(tmpdir(), "mote-captures-"));
let registry;
try {
  prepareFolder();
  await seedCache(join(folder, "upstream"));
  registry = await serve();
  for (const [name, lines] of Object.entries(captures)) {
    writeFileSync(join(here, `${name}.svg`), drawScreen(capture(lines), columns));
    console.log(`docs/captures/${name}.svg`);
  }
} finally {
  registry?.kill();
  rmSync(folder, { recursive: true, force: true });
}

function prepareFolder() {
  for (const name of ["bin", "home", "work"]) mkdirSync(join(folder, name));
  const script = join(folder, "bin", "mote");
  writeFileSync(script, `#!/bin/sh\nexec '${process.execPath}' '${command}' "$@"\n`);
  chmodSync(script, 0o755);
}

function environment() {
  const { PATH } = process.env;
  return {
    PATH: `${join(folder, "bin")}:${PATH}`,
    HOME: join(folder, "home"),
    LANG: "C.UTF-8",
    TERM: "xterm-256color",
  };
}

async function serve() {
  const args = [command, "serve", "--cache", join(folder, "upstream"), "--port", String(port)];
  const server = spawn(process.execPath, args, { env: environment(), stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout, "data");
  return server;
}

/** What the screen shows, colours as escapes, when all `lines` have been run. */
function capture(lines) {
  const script = join(folder, "script");
  const typed = lines.filter((line) => !line.includes(" -q "));
  const silent = lines.filter((line) => line.includes(" -q ")).map((line) => `${line} > /dev/null`);
  const shown = typed.map((line) => `printf '\\033[1m$ %s\\033[0m\\n' '${line}'\n${line}`);
  const done = ["tmux -L mote-captures wait-for -S done", "exec cat"];
  writeFileSync(script, [...silent, ...shown, ...done].join("\n"));
  const tmux = (...args) =>
    execFileSync("tmux", ["-L", "mote-captures", "-f", "/dev/null", ...args], {
      cwd: join(folder, "work"),
      env: environment(),
      encoding: "utf8",
    });
  tmux("new-session", "-d", "-x", String(columns), "-y", "50", `bash --norc ${script}`);
  try {
    tmux("wait-for", "done");
    return tmux("capture-pane", "-p", "-e").trimEnd().replaceAll(join(folder, "home"), "~");
  } finally {
    tmux("kill-server");
  }
}
