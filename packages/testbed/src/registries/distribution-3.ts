import type { RegistryKind } from "../simulator/behaviour.js";
import { basicFlow } from "../simulator/tokens.js";

export const distribution3: RegistryKind = {
  name: "Distribution 3",
  login: { username: "user", password: "secret" },
  behaviours: [
    basicFlow("https://distribution.github.io/distribution/about/configuration/#htpasswd", {
      name: "With `htpasswd`, each request is challenged with Basic",
      realm: "Registry Realm",
    }),
  ],
  lacks: { "immutable tag": "tags can be moved" },
};
