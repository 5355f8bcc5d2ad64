import { needs, startDockerRegistry } from "@mote/testbed";
import { afterEach, describe, expect, it } from "vitest";
import { refuse } from "../test/fake-registry.js";
import { codeOf, shownBy } from "../test/outcome.js";
import { type Handler, serve } from "../test/server.js";
import { serveTokens } from "../test/token-server.js";
import { checkCredentials, examineRegistry } from "./check-registry.js";

const ann = { kind: "password", username: "ann", password: "s3cret" } as const;
const wrong = { ...ann, password: "wr0ng" };

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function registry(answer: Handler): Promise<{ registry: string }> {
  const server = await serve(answer);
  opened.push(server);
  return { registry: server.host };
}

describe("credentials", () => {
  it("are accepted or rejected by the token service that the registry names", async () => {
    const tokens = await serveTokens({ login: "ann:s3cret" });
    opened.push(tokens);
    const place = await registry((request, response) => {
      if (request.headers.authorization?.startsWith("Bearer ")) return response.end("{}");
      return refuse(response, 401, "X", {
        "www-authenticate": `Bearer realm="http://${tokens.host}/token",service="s"`,
      });
    });
    expect(await checkCredentials(place, ann)).toBe(true);
    expect(tokens.seen.at(-1)?.url).toBe("/token?service=s");
    expect(await codeOf(checkCredentials(place, wrong))).toBe("MOTE_UNAUTHORIZED");
    expect(await shownBy(checkCredentials(place, wrong))).not.toContain("wr0ng");
  });

  it("are not sent with an endless token, and the error names its service", async () => {
    const tokens = await serve((_, response) => response.end(`{"token":"${"a".repeat(2 << 20)}"}`));
    opened.push(tokens);
    const realm = { "www-authenticate": `Bearer realm="http://${tokens.host}/token"` };
    const place = await registry((_, response) => refuse(response, 401, "X", realm));
    await expect(checkCredentials(place, ann)).rejects.toMatchObject({
      code: "MOTE_TOO_LARGE",
      message: expect.stringContaining(`${tokens.host}: a token has`),
    });
  });

  it("are not required by a registry that allows anonymous access", async () => {
    expect(await checkCredentials(await registry((_, response) => response.end("{}")), ann)).toBe(false);
  });

  it("are not sent to a server that is not a registry, and the check reports that", async () => {
    const page: Handler = (_, response) => response.setHeader("content-type", "text/html").end("<p>");
    const absent: Handler = (_, response) => response.writeHead(404).end();
    for (const answer of [page, absent]) {
      expect(await codeOf(checkCredentials(await registry(answer), ann))).toBe("MOTE_REGISTRY");
      expect(await codeOf(examineRegistry(await registry(answer), { get: async () => ann }))).toBe("MOTE_REGISTRY");
    }
    expect(await codeOf(checkCredentials({ registry: "a/b" }, ann))).toBe("MOTE_INVALID_REFERENCE");
  });

  const wanted = needs("docker-registry", "htpasswd");
  it.skipIf(wanted !== "")(`are accepted or rejected by Debian's docker-registry${wanted}`, async () => {
    await using real = await startDockerRegistry({ login: ann });
    expect(await checkCredentials({ registry: real.host }, ann)).toBe(true);
    expect(await codeOf(checkCredentials({ registry: real.host }, wrong))).toBe("MOTE_UNAUTHORIZED");
  });
});
