import { type Descriptor, digestEncoded, type ImageManifest } from "@mote/core";
import { titleAnnotation } from "./artifact-title.js";

const versionAnnotation = "org.opencontainers.image.version";
const digestDigits = 12;
const maxNameLength = 100;

/** File extensions by media type; the first match wins. */
const endings: readonly (readonly [RegExp, string])[] = [
  [/^application\/vnd\.cncf\.helm\.chart\.content\./, ".tgz"],
  [/^application\/vnd\.cncf\.helm\.chart\.provenance\./, ".tgz.prov"],
  [/[.+]gguf$/, ".gguf"],
  [/[./+]wasm$|^application\/vnd\.wasm\.content\.layer\./, ".wasm"],
  [/\btar[.+]gzip$/, ".tar.gz"],
  [/\btar[.+]zstd$/, ".tar.zst"],
  [/\btar$/, ".tar"],
  [/[./+]json$/, ".json"],
  [/[./+]ya?ml$/, ".yaml"],
  [/[./+]xml$/, ".xml"],
  [/[./+]zip$/, ".zip"],
  [/[./+]gzip$/, ".gz"],
  [/[./+]zstd$/, ".zst"],
  [/^text\/plain$/, ".txt"],
];

/** Returns a file name for a layer without title: the artifact's title and version, or the digest's first digits, with an extension. */
export function suggestTitle({ digest, mediaType }: Descriptor, { annotations = {} }: ImageManifest): string {
  const [title, version] = [plain(annotations[titleAnnotation]), plain(annotations[versionAnnotation])];
  const stem = title === "" ? digestEncoded(digest).slice(0, digestDigits) : title;
  const named = title === "" || version === "" ? stem : `${stem}-${version}`;
  const ending = endings.find(([pattern]) => pattern.test(mediaType))?.[1] ?? "";
  return named.endsWith(ending) ? named : named + ending;
}

/** Characters valid in file names everywhere, and in shells without quotes. */
function plain(text = ""): string {
  return text
    .slice(0, maxNameLength)
    .replace(/[^\w.+-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
}
