import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestBytes, mediaTypes } from "@mote/core";
import { listenOnLoopback } from "@mote/testbed";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, mainFile, runMote } from "./run-mote.js";

const layer = new TextEncoder().encode("the layer that was promised");
const config = new TextEncoder().encode("{}");
const manifest = new TextEncoder().encode(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestBytes(config), size: config.byteLength },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: digestBytes(layer), size: layer.byteLength }],
  }),
);

/** Starts a registry in which `lib/liar:1` has a blob with wrong bytes, `lib/prose:1` a manifest that is not JSON, and `lib/locked` needs a login. */
async function startLiar(): Promise<{ server: Server; host: string }> {
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    const send = (status: number, type: string, body: Uint8Array, headers: Record<string, string> = {}) => {
      response.writeHead(status, { "content-type": type, "content-length": String(body.byteLength), ...headers });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    if (url.startsWith("/v2/lib/locked/")) {
      return send(401, "application/json", new TextEncoder().encode("{}"), {
        "www-authenticate": 'Basic realm="test"',
      });
    }
    if (url.startsWith("/v2/lib/prose/manifests/")) {
      const prose = new TextEncoder().encode("<html>not \u001b[31ma manifest</html>");
      return send(200, mediaTypes.ociManifest, prose, { "docker-content-digest": digestBytes(prose) });
    }
    if (url.startsWith("/v2/lib/liar/manifests/")) {
      return send(200, mediaTypes.ociManifest, manifest, { "docker-content-digest": digestBytes(manifest) });
    }
    if (url === `/v2/lib/liar/blobs/${digestBytes(config)}`) return send(200, "application/octet-stream", config);
    if (url === `/v2/lib/liar/blobs/${digestBytes(layer)}`) {
      return send(200, "application/octet-stream", new Uint8Array(layer.byteLength));
    }
    return send(404, "application/json", new TextEncoder().encode('{"errors":[]}'));
  });
  return { server, host: await listenOnLoopback(server) };
}

describe("bad input ends in one clear line and leaves no partial content", () => {
  let dir: string;
  let server: Server;
  let host: string;
  const cache = () => join(dir, "cache");

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "mote-bad-input-"));
    ({ server, host } = await startLiar());
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Checks for one line on the terminal without a stack or control characters, and returns the code under `--json`. */
  async function failure(status: number, args: readonly string[]): Promise<string> {
    const plain = await runMote([...args, "--cache", cache()]);
    expectOneLine(plain, status);
    const json = await runMote([...args, "--cache", cache(), "--json"]);
    expect(json.status).toBe(status);
    expect(json.stdout).toBe("");
    return JSON.parse(json.stderr).error.code;
  }

  function expectOneLine({ status, stdout, stderr }: Ended, wanted: number): void {
    expect({ status, stdout }).toEqual({ status: wanted, stdout: "" });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not be there
    expect(stderr).toMatch(/^(?:retrying [^\u0000-\u001f]+\n)*mote: [^\u0000-\u001f]{10,}\n$/);
  }

  async function expectNoTrace(layout: string): Promise<void> {
    await expect(stat(layout)).rejects.toMatchObject({ code: "ENOENT" });
    const blobs = await readdir(join(cache(), "blobs", "sha256")).catch(() => []);
    for (const name of blobs) {
      expect(digestBytes(new Uint8Array(await readFile(join(cache(), "blobs", "sha256", name))))).toBe(
        `sha256:${name}`,
      );
    }
  }

  it("a missing or unknown command, an unknown option and a missing argument are invalid usage", async () => {
    expect((await runMote([])).status).toBe(2);
    for (const args of [["fly"], ["ls", "--fly"], ["pull"], ["prune"], ["prune", "--max-size", "much"]]) {
      expectOneLine(await runMote([...args, "--cache", cache()]), 2);
    }
    expect((await runMote(["--help"])).status).toBe(0);
  });

  it("an invalid reference", async () => {
    expect(await failure(1, ["pull", `docker://${host}/Upper:1`])).toBe("MOTE_INVALID_REFERENCE");
    expect(await failure(1, ["ref", "docker://:"])).toBe("MOTE_INVALID_REFERENCE");
  });

  it("an ambiguous destination, and an invalid platform", async () => {
    const source = `docker://${host}/lib/none:1`;
    const digest = digestBytes(layer);
    for (const to of ["build/app", "models", "app:1", "docker.io/build/app:1", `${host}/build/app:1`, digest]) {
      expect(await failure(2, ["pull", source, to])).toBe("MOTE_USAGE");
    }
    for (const to of ["build/app", "app:1", "sha256:abcdef"]) {
      expect(await failure(2, ["copy", source, to])).toBe("MOTE_USAGE");
    }
    for (const platform of ["linux//v7", "linux/arm64,,linux/amd64", "windows(10.0/amd64", "nothing", ""]) {
      expect(await failure(2, ["pull", source, "--platform", platform])).toBe("MOTE_USAGE");
    }
  });

  it("a value that is none of an option's choices, and upstreams that a mirror cannot have", async () => {
    for (const args of [
      ["pull", `docker://${host}/lib/none:1`, "--into", "bogus"],
      ["pull", `docker://${host}/lib/none:1`, "--delta", "sometimes"],
      ["ls", "--sort", "weight"],
      ["serve", "--port", "0", "--upstream", ""],
      ["serve", "--port", "0", "--upstream", "docker.io="],
      ["serve", "--port", "0", "--upstream", "docker.io", "--upstream", "index.docker.io"],
      ["serve", "--port", "0", "--upstream", "docker.io", "--default", "ghcr.io"],
    ]) {
      expect([await failure(2, args), args]).toEqual(["MOTE_USAGE", args]);
    }
  });

  it("an unknown digest, and a repository named like a digest", async () => {
    expect(await failure(1, ["pull", digestBytes(layer)])).toBe("MOTE_NOT_FOUND");
    expect(await failure(1, ["copy", "sha256:0a1b2c3d", "oci:x"])).toBe("MOTE_NOT_FOUND");
    expect(await failure(1, ["pull", "sha256:latest"])).toBe("MOTE_INVALID_REFERENCE");
  });

  it("an unsupported transport", async () => {
    expect(await failure(1, ["pull", "docker-daemon:app:1"])).toBe("MOTE_UNSUPPORTED_TRANSPORT");
  });

  it("a missing tag", async () => {
    expect(await failure(1, ["pull", `docker://${host}/lib/none:1`, `oci:${dir}/none:1`])).toBe("MOTE_NOT_FOUND");
    await expectNoTrace(join(dir, "none"));
  });

  it("an unreachable registry", async () => {
    expect(await failure(1, ["pull", "docker://127.0.0.1:1/lib/app:1", `oci:${dir}/far:1`])).toBe("MOTE_UNREACHABLE");
    await expectNoTrace(join(dir, "far"));
  });

  it("rejected credentials", async () => {
    expect(await failure(1, ["pull", `docker://${host}/lib/locked:1`, `oci:${dir}/locked:1`])).toBe(
      "MOTE_UNAUTHORIZED",
    );
    await expectNoTrace(join(dir, "locked"));
  });

  it("a manifest that is not JSON", async () => {
    expect(await failure(1, ["pull", `docker://${host}/lib/prose:1`, `oci:${dir}/prose:1`])).toBe(
      "MOTE_INVALID_MANIFEST",
    );
    await expectNoTrace(join(dir, "prose"));
  });

  it("a blob that does not match its digest", async () => {
    expect(await failure(1, ["pull", `docker://${host}/lib/liar:1`, `oci:${dir}/liar:1`])).toBe("MOTE_DIGEST_MISMATCH");
    await expectNoTrace(join(dir, "liar"));
    expect((await runMote(["ls", "--json", "--cache", cache()])).stdout).not.toContain(digestBytes(layer));
  });

  it("an invalid digest, and one that is not cached", async () => {
    expect(await failure(1, ["cat", "sha256:short"])).toBe("MOTE_INVALID_DIGEST");
    expect(await failure(1, ["cat", digestBytes(layer)])).toBe("MOTE_NOT_FOUND");
    expect(await failure(1, ["info", digestBytes(layer)])).toBe("MOTE_NOT_FOUND");
    expect(await failure(1, ["add", join(dir, "no-such-file")])).toBe("MOTE_NOT_FOUND");
  });

  it("a read-only cache directory without another destination", async () => {
    const file = join(dir, "a-file");
    await writeFile(file, "in the way");
    const ended = await runMote(["pull", `docker://${host}/lib/liar:1`, "--cache", join(file, "cache"), "--json"]);
    expect(ended.status).toBe(1);
    expect(JSON.parse(ended.stderr).error.code).toBe("MOTE_UNWRITABLE");
  });

  it.skipIf(process.platform !== "linux")("a cache directory where nothing can be created", async () => {
    const ended = await runMote(["add", mainFile, "--cache", "/proc/mote/cache", "--json"]);
    expect(ended.status).toBe(1);
    expect(JSON.parse(ended.stderr).error.code).toBe("MOTE_UNWRITABLE");
    expectOneLine(await runMote(["pull", `oci:${dir}/none:1`, "oci:/proc/mote/layout:1", "--cache", cache()]), 1);
  });

  it("a cache directory of a newer format", async () => {
    const newer = join(dir, "newer");
    await runMote(["ls", "--cache", newer]);
    await mkdir(join(newer, ".mote"), { recursive: true });
    await writeFile(join(newer, ".mote", "format.json"), '{"format":"mote-cache","version":999}');
    const ended = await runMote(["ls", "--cache", newer, "--json"]);
    expect(ended.status).toBe(1);
    expect(JSON.parse(ended.stderr).error.code).toBe("MOTE_UNSUPPORTED_FORMAT");
  });
});
