import { MoteError, type Ref } from "@mote/core";
import { describe, expect, it } from "vitest";
import { formatRef } from "./format-ref.js";
import { parseRef } from "./parse-ref.js";

const hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const sha256 = `sha256:${hex}`;
const sha512 = `sha512:${hex}${hex}`;

type Fields = [registry: string, repository: string, tag: string | undefined, digest?: string];

function fieldsOf(ref: Ref): Fields {
  if (ref.transport !== "docker") throw new Error(`${ref.transport} is not a registry reference`);
  const { registry, repository, tag, digest } = ref;
  return digest === undefined ? [registry, repository, tag] : [registry, repository, tag, digest];
}

interface InvalidReference {
  readonly position: number;
  readonly suggestion?: string;
}

function syntaxErrorOf(text: string): InvalidReference {
  try {
    parseRef(text);
  } catch (error) {
    if (!MoteError.isInstance(error)) throw error;
    expect(error.code).toBe("MOTE_INVALID_REFERENCE");
    expect(error.details).toMatchObject({ position: expect.any(Number), reason: expect.any(String) });
    expect(error.message).not.toMatch(/[\n\r]/);
    const { position, suggestion } = error.details as InvalidReference;
    return suggestion === undefined ? { position } : { position, suggestion };
  }
  throw new Error(`${text} was parsed`);
}

describe("a registry reference", () => {
  const longest = "a".repeat(255);
  it.each<[string, ...Fields]>([
    // Docker Hub, in all spellings
    ["alpine", "docker.io", "library/alpine", "latest"],
    ["alpine:3.20", "docker.io", "library/alpine", "3.20"],
    ["library/alpine", "docker.io", "library/alpine", "latest"],
    ["docker.io/alpine", "docker.io", "library/alpine", "latest"],
    ["docker.io/library/alpine:3", "docker.io", "library/alpine", "3"],
    ["index.docker.io/alpine", "docker.io", "library/alpine", "latest"],
    ["index.docker.io/grafana/loki:2", "docker.io", "grafana/loki", "2"],
    ["grafana/loki", "docker.io", "grafana/loki", "latest"],
    ["registry-1.docker.io/library/alpine", "registry-1.docker.io", "library/alpine", "latest"],
    ["docker://alpine", "docker.io", "library/alpine", "latest"],
    ["docker:27-dind", "docker.io", "library/docker", "27-dind"],
    // only a dot, a colon, localhost or an upper-case letter makes the first component a host
    ["ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "v1"],
    ["registry:5000/app", "registry:5000", "app", "latest"],
    ["localhost/app:1", "localhost", "app", "1"],
    ["localhost:5000/app:1", "localhost:5000", "app", "1"],
    ["Registry/app", "Registry", "app", "latest"],
    ["registry/app", "docker.io", "registry/app", "latest"],
    ["localhosts/app", "docker.io", "localhosts/app", "latest"],
    ["127.0.0.1:65535/app", "127.0.0.1:65535", "app", "latest"],
    ["xn--bcher-kva.example/app", "xn--bcher-kva.example", "app", "latest"],
    ["my--host.example/app", "my--host.example", "app", "latest"],
    // without a slash there is no host
    ["localhost:5000", "docker.io", "library/localhost", "5000"],
    ["example.com", "docker.io", "library/example.com", "latest"],
    ["192.0.2.7:8080", "docker.io", "library/192.0.2.7", "8080"],
    // IPv6
    ["[::1]:5000/app", "[::1]:5000", "app", "latest"],
    ["[::]/app", "[::]", "app", "latest"],
    ["[fe80::]/app", "[fe80::]", "app", "latest"],
    ["[2001:DB8::7]/app:1", "[2001:DB8::7]", "app", "1"],
    ["[1:2:3:4:5:6:7:8]/app", "[1:2:3:4:5:6:7:8]", "app", "latest"],
    ["[1:2:3:4:5:6:7::]/app", "[1:2:3:4:5:6:7::]", "app", "latest"],
    // names
    ["ghcr.io/a.b/c_d/e__f/g---h/0", "ghcr.io", "a.b/c_d/e__f/g---h/0", "latest"],
    [`ghcr.io/${longest}`, "ghcr.io", longest, "latest"],
    [`${hex}:1`, "docker.io", `library/${hex}`, "1"],
    [`ghcr.io/${hex}`, "ghcr.io", hex, "latest"],
    // tags and digests
    ["alpine:_", "docker.io", "library/alpine", "_"],
    ["alpine:A.b-C_", "docker.io", "library/alpine", "A.b-C_"],
    [`alpine:${"t".repeat(128)}`, "docker.io", "library/alpine", "t".repeat(128)],
    [`alpine@${sha256}`, "docker.io", "library/alpine", undefined, sha256],
    [`alpine@${sha512}`, "docker.io", "library/alpine", undefined, sha512],
    [`localhost:5000/app:1@${sha256}`, "localhost:5000", "app", "1", sha256],
    // a host that is recognized only by the scheme gets the scheme's port
    ["http://registry/app:1", "registry:80", "app", "1"],
    ["https://registry/app:1", "registry:443", "app", "1"],
    ["https://index.docker.io/alpine", "docker.io", "library/alpine", "latest"],
  ])("%s", (text, ...fields) => {
    expect(fieldsOf(parseRef(text))).toEqual(fields);
  });

  it("keeps its scheme, if it has one", () => {
    expect(parseRef("http://127.0.0.1:5000/app")).toEqual({
      transport: "docker",
      registry: "127.0.0.1:5000",
      repository: "app",
      tag: "latest",
      scheme: "http",
    });
    expect(parseRef("https://ghcr.io/app")).toHaveProperty("scheme", "https");
    expect(parseRef("docker://ghcr.io/app")).not.toHaveProperty("scheme");
  });

  it.each<[string, number, string?]>([
    ["", 0],
    [" alpine", 0, "alpine"],
    ["alpine ", 6, "alpine"],
    ["alp ine", 3],
    ["alpine\n", 6, "alpine"],
    ["Alpine", 0, "alpine"],
    ["ghcr.io/Org/App:V1", 8, "ghcr.io/org/app:V1"],
    ["alpine:", 7, "alpine:latest"],
    [`alpine:@${sha256}`, 7, `alpine@${sha256}`],
    ["alpine:-1", 7],
    ["alpine:3!", 8, "alpine:3"],
    [`alpine:${"t".repeat(129)}`, 135],
    ["alpine@", 7, "alpine"],
    [`alpine@${hex}`, 7, "alpine"],
    [`alpine@${sha256.toUpperCase()}`, 7, `alpine@${sha256}`],
    [`alpine@sha256:${hex.slice(1)}`, 7, "alpine"],
    ["alpine@md5:d41d8cd98f00b204e9800998ecf8427e", 7, "alpine"],
    [hex, 0, `docker.io/library/${hex}`],
    [`${"a".repeat(248)}`, 0],
    [`ghcr.io/${"a".repeat(256)}`, 8],
    ["a//b", 2, "a/b"],
    ["a/", 2, "a"],
    ["ghcr.io/", 8],
    ["-a", 0],
    ["a-", 2, "a"],
    ["a._b", 2, "a_b"],
    ["a___b", 3, "a__b"],
    ["a..b", 2, "a.b"],
    ["ghcr.io/é", 8],
    ["-ghcr.io/a", 0],
    ["ghcr-.io/a", 5],
    ["ghcr..io/a", 5],
    ["ghcr.io-/a", 8],
    [".ghcr.io/a", 0, "oci:.ghcr.io/a"],
    ["gh_cr.io/a", 2],
    ["registry:/a", 9],
    ["registry:0/a", 9],
    ["registry:080/a", 9],
    ["registry:65536/a", 9],
    ["registry:latest/a", 9],
    ["[::1/a", 4],
    ["[fe80::1%eth0]/a", 8],
    ["[::ffff:192.0.2.7]/a", 11],
    ["[1:2:3]/a", 0],
    ["[1:2:3:4:5:6:7:8:9]/a", 0],
    ["[1::2::3]/a", 5],
    ["[12345::]/a", 5],
    ["[:1]/a", 1],
    ["[::1]5000/a", 5],
    ["[::1]", 0],
    // a URL or a path where a name is meant
    ["https://", 8],
    ["https://ghcr.io", 15],
    ["https://ghcr.io/a/", 18, "https://ghcr.io/a"],
    ["docker://https://ghcr.io/a", 9, "https://ghcr.io/a"],
    ["docker://", 9],
    ["docker:/127.0.0.1:5000/a", 7, "docker://127.0.0.1:5000/a"],
    ["docker:ghcr.io:5000/a", 7, "docker://ghcr.io:5000/a"],
    ["DOCKER://alpine", 0, "docker://alpine"],
    ["ftp://ghcr.io/a", 0, "docker://ghcr.io/a"],
    ["oci://ghcr.io/chart:1", 4, "docker://ghcr.io/chart:1"],
    ["./layout", 0, "oci:./layout"],
    ["/images/app.tar", 0, "oci-archive:/images/app.tar"],
    ["~/layout:1", 0, "oci:~/layout:1"],
    ["C:\\layout", 0, "oci:C:\\layout"],
  ])("rejects %j at %i", (text, position, suggestion) => {
    expect(syntaxErrorOf(text)).toEqual(suggestion === undefined ? { position } : { position, suggestion });
  });

  it("is rejected if it has credentials, which are not repeated", () => {
    for (const text of [
      "https://user:secret@ghcr.io/app",
      "user:secret@ghcr.io/app",
      "https://user:se/cret@ghcr.io/app",
      "https://user:secret@ghcr.io",
      "https://user:secret@localhost",
      `https://user:secret@ghcr.io/app@${sha256}`,
    ]) {
      expect(() => parseRef(text)).toThrow(expect.not.stringContaining("secret"));
      try {
        parseRef(text);
      } catch (error) {
        expect(JSON.stringify(error, ["message", "details", "text", "reason", "suggestion"])).not.toMatch(/se\/?cret/);
      }
    }
    expect(syntaxErrorOf("https://user:secret@ghcr.io/app:1").suggestion).toBe("https://ghcr.io/app:1");
  });
});

describe("a path reference", () => {
  it.each<[string, object]>([
    ["oci:dir", { transport: "oci", path: "dir" }],
    ["oci:/images/all:1.2", { transport: "oci", path: "/images/all", tag: "1.2" }],
    ["oci:dir:docker.io/library/alpine:3", { transport: "oci", path: "dir", tag: "docker.io/library/alpine:3" }],
    ["oci:dir:@2", { transport: "oci", path: "dir", index: 2 }],
    ["oci:dir:@007", { transport: "oci", path: "dir", index: 7 }],
    [`oci:dir@${sha256}`, { transport: "oci", path: "dir", digest: sha256 }],
    [`oci:dir:1@${sha256}`, { transport: "oci", path: "dir", tag: "1", digest: sha256 }],
    ["oci:me@work/dir:1", { transport: "oci", path: "me@work/dir", tag: "1" }],
    ["oci:///images/all", { transport: "oci", path: "///images/all" }],
    ["oci:C:\\images\\all", { transport: "oci", path: "C:\\images\\all" }],
    ["oci:C:\\images\\all:1", { transport: "oci", path: "C:\\images\\all", tag: "1" }],
    ["oci:c:/images:1", { transport: "oci", path: "c:/images", tag: "1" }],
    ["oci:c:1", { transport: "oci", path: "c", tag: "1" }],
    ["oci:~/images:1", { transport: "oci", path: "~/images", tag: "1" }],
    ["oci-archive:a.tar:v1", { transport: "oci-archive", path: "a.tar", tag: "v1" }],
    ["oci-archive:a.tar:@0", { transport: "oci-archive", path: "a.tar", index: 0 }],
    ["docker-archive:a.tar", { transport: "docker-archive", path: "a.tar" }],
    [
      "docker-archive:a.tar:alpine",
      { transport: "docker-archive", path: "a.tar", tag: "docker.io/library/alpine:latest" },
    ],
    ["docker-archive:a.tar:@1", { transport: "docker-archive", path: "a.tar", index: 1 }],
    [
      `docker-archive:a.tar:ghcr.io/a@${sha256}`,
      { transport: "docker-archive", path: "a.tar", tag: "ghcr.io/a", digest: sha256 },
    ],
    ["dir:/a:b", { transport: "dir", path: "/a:b" }],
    ["tarball:a.tar", { transport: "tarball", path: "a.tar" }],
    ["docker-daemon:alpine:3", { transport: "docker-daemon", path: "docker.io/library/alpine", tag: "3" }],
    [`docker-daemon:${sha256}`, { transport: "docker-daemon", path: "", digest: sha256 }],
    ["containers-storage:alpine", { transport: "containers-storage", path: "docker.io/library/alpine", tag: "latest" }],
    [
      "containers-storage:[overlay@/var/lib+/run:a=b]ghcr.io/a:1",
      { transport: "containers-storage", path: "[overlay@/var/lib+/run:a=b]ghcr.io/a", tag: "1" },
    ],
    [`containers-storage:${hex}`, { transport: "containers-storage", path: `@${hex}` }],
    [`containers-storage:@${hex}`, { transport: "containers-storage", path: `@${hex}` }],
    [
      `containers-storage:alpine:3@${hex}`,
      { transport: "containers-storage", path: `docker.io/library/alpine:3@${hex}` },
    ],
    ["ocidir://images/all:v1", { transport: "ocidir", path: "images/all", tag: "v1" }],
    [`ocidir:///images@${sha256}`, { transport: "ocidir", path: "/images", digest: sha256 }],
    [`hash://sha256/${hex}`, { transport: "hash", path: `sha256/${hex}`, digest: sha256 }],
  ])("%s", (text, expected) => {
    expect(parseRef(text)).toEqual(expected);
    expect(parseRef(formatRef(parseRef(text)))).toEqual(expected);
  });

  it.each<[string, number, string?]>([
    ["oci:", 4],
    ["oci::tag", 4],
    ["oci:dir:", 8, "oci:dir:latest"],
    ["oci:dir:/b", 8],
    ["oci:dir:a/", 10, "oci:dir:a"],
    ["oci:dir:a b", 9],
    ["oci:dir:@", 9, "oci:dir:@0"],
    ["oci:dir:@x", 9],
    ["oci:dir:@99999999999999999", 9],
    ["oci:dir@sha256:abc", 8, "oci:dir"],
    ["oci:a\u0000b", 5],
    ["dir:", 4],
    ["dir://host/a", 4, "dir:/host/a"],
    ["docker-archive:a.tar:Alpine", 21, "docker-archive:a.tar:alpine"],
    ["docker-daemon:sha256:abc", 21],
    ["containers-storage:[overlay", 27],
    ["containers-storage:", 19],
    ["ocidir://a:b/c", 12, "ocidir://a:b"],
    ["hash://sha256/abc", 7],
    [`hash://sha256/${hex.toUpperCase()}`, 7, `hash://sha256/${hex}`],
    ["hash://md5/d41d8cd98f00b204e9800998ecf8427e", 7],
  ])("rejects %j at %i", (text, position, suggestion) => {
    expect(syntaxErrorOf(text)).toEqual(suggestion === undefined ? { position } : { position, suggestion });
  });

  it("has a leading ~ replaced by the given home folder", () => {
    expect(parseRef("oci:~/a:1", { home: "/home/me" })).toEqual({ transport: "oci", path: "/home/me/a", tag: "1" });
    expect(parseRef("oci:~", { home: "C:\\Users\\me" })).toHaveProperty("path", "C:\\Users\\me");
    expect(parseRef("dir:a/~/b", { home: "/home/me" })).toHaveProperty("path", "a/~/b");
    expect(parseRef("oci:~you/a", { home: "/home/me" })).toHaveProperty("path", "~you/a");
    expect(() => parseRef("oci:~/a", { home: "/home:me" })).toThrow(MoteError);
    expect(parseRef("dir:~/a", { home: "/home:me" })).toHaveProperty("path", "/home:me/a");
  });
});

describe("a digest without a repository", () => {
  it.each([
    [sha256, 0],
    [sha512, 0],
    ["sha256:0a1b2c", 0],
    ["sha256:latest", 0],
    [`docker://${sha256}`, 9],
    [`docker-archive:a.tar:${sha256}`, 21],
    [`containers-storage:${sha256}`, 19],
  ])("%s is rejected", (text, position) => {
    expect(syntaxErrorOf(text)).toEqual({ position });
  });

  it.each([`docker.io/library/${sha256}`, "docker://sha256:latest", "ghcr.io/sha256:1", "sha256:5000/app", "sha256"])(
    "%s is accepted as a repository or tag",
    (text) => {
      const ref = parseRef(text);
      expect(parseRef(formatRef(ref))).toEqual(ref);
      expect(parseRef(formatRef(ref, { short: true }))).toEqual(ref);
    },
  );
});

it("a reference that is not a string is a TypeError", () => {
  expect(() => parseRef(undefined as unknown as string)).toThrow(TypeError);
});
