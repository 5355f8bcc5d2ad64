import type { RegistryKind } from "../simulator/behaviour.js";
import { redirectBlobs } from "../simulator/redirects.js";
import { errorReply, withHeaders } from "../simulator/replies.js";
import { tokenFlow } from "../simulator/tokens.js";

const tokenPath = "/oauth2/token";

export const acr: RegistryKind = {
  name: "Azure Container Registry",
  login: { username: "00000000-0000-0000-0000-000000000001", password: "secret" },
  behaviours: [
    {
      name: "The token service limits its rate too: 429",
      source: "https://github.com/Azure/azure-cli/issues/24886",
      handle({ url }, next, { notes }) {
        const isForPush =
          url.pathname === tokenPath && url.searchParams.getAll("scope").some((one) => one.includes("push"));
        if (!isForPush || notes.has("throttled")) return next();
        notes.set("throttled", true);
        return withHeaders(errorReply(429, "TOOMANYREQUESTS"), { "retry-after": "0" });
      },
    },
    tokenFlow({
      name: "Tokens come from the registry's own host, only as `access_token`",
      source: "https://github.com/Azure/acr/blob/master/docs/AAD-OAuth.md",
      listener: "registry",
      path: tokenPath,
      service: "registry.azurecr.io",
      body: (token) => ({ access_token: token }),
    }),
    redirectBlobs({
      name: "Blobs are redirected (307) to a data endpoint that rejects `Authorization` in addition to its signature: 400",
      source: "https://github.com/Azure/acr/issues/217",
    }),
    {
      name: "`Content-Range` of an upload must have the form `0-9`: `bytes 0-9/*` is 400",
      source: "https://github.com/dotnet/sdk-container-builds/pull/258",
      handle({ headers }, next) {
        const range = headers["content-range"];
        if (range === undefined || /^\d+-\d+$/.test(String(range))) return next();
        return errorReply(400, "BLOB_UPLOAD_INVALID", "the Content-Range header format is invalid");
      },
    },
  ],
  lacks: { "immutable tag": "tags are locked individually, after a push" },
};
