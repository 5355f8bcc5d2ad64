import { describe, expect, it } from "vitest";
import { layer, source, tags } from "../../test/image-handler.js";
import { createHandler } from "../index.js";
import type { Access, AccessDecision, AccessRequest } from "./access.js";

const challenge = 'Basic realm="test"';

/** Answers every question with one decision, and remembers the questions. */
class FixedAccess implements Access {
  readonly asked: AccessRequest[] = [];
  readonly #decision: AccessDecision;

  constructor(decision: AccessDecision) {
    this.#decision = decision;
  }

  decide(request: AccessRequest): Promise<AccessDecision> {
    this.asked.push(request);
    return Promise.resolve(this.#decision);
  }
}

async function send(access: Access, method: string, path: string, authorization?: string): Promise<Response> {
  const handler = createHandler({ source, tags, access });
  const headers = authorization === undefined ? {} : { authorization };
  return handler(new Request(`http://registry.test${path}`, { method, headers }));
}

describe("the check of access", () => {
  it.each([
    ["GET", "/v2/", "pull", undefined],
    ["HEAD", "/v2/library/app/manifests/1", "pull", "library/app"],
    ["GET", "/v2/ghcr.io/acme/app/blobs/sha256:0", "pull", "ghcr.io/acme/app"],
    ["GET", "/v2/library/app/tags/list", "pull", "library/app"],
    ["GET", "/v2/library/app/referrers/sha256:0", "pull", "library/app"],
    ["PUT", "/v2/library/app/manifests/1", "push", "library/app"],
    ["POST", "/v2/library/app/blobs/uploads/", "push", "library/app"],
    ["GET", "/v2/library/app/blobs/uploads/1", "push", "library/app"],
    ["DELETE", "/v2/library/app/blobs/uploads/1", "push", "library/app"],
    ["DELETE", "/v2/library/app/manifests/1", "delete", "library/app"],
    ["BREW", "/v2/library/app/manifests/1", "push", "library/app"],
    ["GET", "/v2/_catalog", "list", undefined],
    ["GET", "/", "status", undefined],
    ["GET", "/metrics", "status", undefined],
    ["POST", "/api/warm", "push", undefined],
  ])("asks for %s %s whether %s is allowed", async (method, path, action, repository) => {
    const access = new FixedAccess({ kind: "denied" });
    const response = await send(access, method, path, "Basic YTpi");
    expect(response.status).toBe(403);
    expect(access.asked).toEqual([{ action, repository, authorization: "Basic YTpi" }]);
  });

  it("challenges a client without a valid login, for paths that do not exist, too", async () => {
    for (const path of ["/v2/", `/v2/library/app/blobs/${layer}`, "/v2/library/app/manifests/absent", "/v2/x", "/x"]) {
      const response = await send(new FixedAccess({ kind: "unauthenticated", challenge }), "GET", path);
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe(challenge);
      expect(await response.json()).toMatchObject({ errors: [{ code: "UNAUTHORIZED" }] });
    }
  });

  it("names the challenge in the answer to /v2/ if a login is optional", async () => {
    const response = await send(new FixedAccess({ kind: "allowed", challenge }), "GET", "/v2/");
    expect(response.status).toBe(200);
    expect(response.headers.get("www-authenticate")).toBe(challenge);
  });
});
