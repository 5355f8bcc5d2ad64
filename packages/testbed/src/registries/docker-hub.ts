import type { RegistryKind } from "../simulator/behaviour.js";
import { tokenFlow } from "../simulator/tokens.js";

export const dockerHub: RegistryKind = {
  name: "Docker Hub",
  login: { username: "user", password: "dckr_pat_secret" },
  behaviours: [
    tokenFlow({
      name: "Tokens come from another host, also without a login, as `token` and `access_token` at once",
      source: "https://distribution.github.io/distribution/spec/auth/token/",
      path: "/token",
      service: "registry.docker.io",
      anonymous: "pull",
      body: (token) => ({ token, access_token: token, expires_in: 300, issued_at: "2026-01-01T00:00:00.000000000Z" }),
    }),
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
