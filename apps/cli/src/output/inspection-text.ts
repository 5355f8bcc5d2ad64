import type { Inspection } from "../wire.js";
import { shortMediaType } from "./image-tree.js";
import { shortDigest } from "./listing.js";
import type { Output } from "./output.js";
import { count, formatBytes } from "./quantity.js";
import { type TableColumn, textTable } from "./text-table.js";

type Image = Inspection["images"][number];
type Line = readonly [label: string, value: string | undefined];

/** Annotations that describe an image (image-spec, annotations.md). */
const notable = ["title", "version", "created", "revision", "source", "url", "licenses", "description"];
const labelWidth = 14;

/** Returns the lines of an inspection: facts, a tree and, of a single image, its config and history. */
export function inspectionLines(
  inspection: Inspection,
  { columns: width, style }: Pick<Output, "columns" | "style">,
): string[] {
  const { images } = inspection;
  const [only] = images;
  const columns: TableColumn[] = [
    { title: "TREE", elastic: true },
    { title: "DIGEST", style: style.dim },
    { title: "SIZE", align: "right" },
    { title: "UNCOMPRESSED", align: "right", optional: true },
    { title: "TYPE" },
  ];
  return [
    ...factLines(factsOf(inspection)),
    "",
    ...textTable(columns, treeRows(inspection), { width, style }),
    ...(images.length === 1 && only !== undefined ? detailsOf(only) : []),
  ];
}

function factLines(facts: readonly Line[]): string[] {
  return facts.flatMap(([label, value]) => (value === undefined ? [] : `${label.padEnd(labelWidth)}${value}`));
}

function factsOf(inspection: Inspection): Line[] {
  const { reference, digest, kind, mediaType, artifactType, images, base, subject } = inspection;
  const annotations = { ...images[0]?.annotations, ...inspection.annotations };
  return [
    ["reference", reference],
    ["digest", digest],
    ["kind", kind],
    ["media type", mediaType],
    ["artifact type", artifactType],
    ["subject", subject],
    ["platforms", kind === "index" ? platformsText(images) : undefined],
    ...notable.map((name): Line => [name, annotations[`org.opencontainers.image.${name}`]]),
    ["base image", baseText(base ?? images[0]?.base)],
    ["signatures", signatureText(inspection)],
    ["referrers", referrersText(inspection)],
  ];
}

function platformsText(images: readonly Image[]): string {
  return images.map(({ platform }) => platform ?? "unknown").join(", ") || "none";
}

function baseText(base: Inspection["base"]): string | undefined {
  return base && [base.name, base.digest].filter(Boolean).join("@");
}

function signatureText({ signatures }: Inspection): string {
  if (signatures === undefined) return "unknown";
  if (signatures.length === 0) return "none found";
  const found = signatures.map(({ tag, artifactType }) => (tag === undefined ? artifactType : `tag ${tag}`));
  return `${[...new Set(found)].join(", ")} (not verified)`;
}

function referrersText({ referrers }: Inspection): string {
  if (referrers === undefined) return "unknown";
  const types = new Map<string, number>();
  for (const { artifactType = "unknown type" } of referrers)
    types.set(artifactType, (types.get(artifactType) ?? 0) + 1);
  return [...types].map(([type, amount]) => `${amount} × ${type}`).join(", ") || "none found";
}

interface Node {
  readonly cells: readonly [name: string, digest: string, size: string, uncompressed: string, type: string];
  readonly children: readonly Node[];
}

function treeRows(inspection: Inspection): string[][] {
  const { kind, digest, size, mediaType, images, others, referrers = [] } = inspection;
  const [only] = images;
  const referring = referrers.map((each) => leaf("referrer", each, each.artifactType));
  const other = others.map((each) => {
    const isAttestation = each.annotations?.["vnd.docker.reference.type"] === "attestation-manifest";
    return leaf(isAttestation ? "attestation" : "other", each);
  });
  const isSingle = kind !== "index" && only !== undefined;
  const parts = isSingle ? partsOf(only) : images.map(imageNode);
  const root = leaf(kind, { digest, size, mediaType });
  const cells = isSingle
    ? imageCells(only, only.platform === undefined ? kind : `${kind} ${only.platform}`)
    : root.cells;
  return rowsOf({ cells, children: [...parts, ...other, ...referring] });
}

function imageNode(image: Image): Node {
  return { cells: imageCells(image, image.platform ?? "image"), children: partsOf(image) };
}

/** Its size is that of its layers, if they are known. */
function imageCells(image: Image, name: string): Node["cells"] {
  const { digest, mediaType, compressedBytes, uncompressedBytes } = image;
  return [
    name,
    shortDigest(digest),
    bytesText(compressedBytes),
    bytesText(uncompressedBytes),
    shortMediaType(mediaType),
  ];
}

function partsOf({ layers = [] }: Image): Node[] {
  return layers.map((layer, at) =>
    leaf(
      layer.annotations?.["org.opencontainers.image.title"] ?? `layer ${at + 1}`,
      layer,
      undefined,
      layer.uncompressedBytes,
    ),
  );
}

function leaf(
  name: string,
  { digest, size, mediaType }: { readonly digest: Image["digest"]; readonly size: number; readonly mediaType: string },
  type = shortMediaType(mediaType),
  uncompressedBytes?: number,
): Node {
  return { cells: [name, shortDigest(digest), formatBytes(size), bytesText(uncompressedBytes), type], children: [] };
}

function bytesText(bytes: number | undefined): string {
  return bytes === undefined ? "" : formatBytes(bytes);
}

function rowsOf({ cells: [name, ...cells], children }: Node, branch = "", below = ""): string[][] {
  const rows = [[`${branch}${name}`, ...cells]];
  for (const [at, child] of children.entries()) {
    const isLast = at === children.length - 1;
    rows.push(...rowsOf(child, `${below}${isLast ? "└─ " : "├─ "}`, `${below}${isLast ? "   " : "│  "}`));
  }
  return rows;
}

/** Returns the config and the history of an image. */
function detailsOf({ config, layers, compressedBytes, uncompressedBytes }: Image): string[] {
  const total =
    compressedBytes === undefined || layers === undefined
      ? undefined
      : `${formatBytes(compressedBytes)} in ${count(layers.length, "layer")}, uncompressed ${uncompressedBytes === undefined ? "unknown" : formatBytes(uncompressedBytes)}`;
  const facts: Line[] = [["layers", total]];
  if (config !== undefined) {
    facts.push(
      ["created", config.created],
      ["author", config.author],
      ["user", config.user],
      ["entrypoint", wordsText(config.entrypoint)],
      ["cmd", wordsText(config.cmd)],
      ["working dir", config.workingDir],
      ["ports", config.exposedPorts?.join(", ")],
      ["volumes", config.volumes?.join(", ")],
      ["stop signal", config.stopSignal],
      ...(config.env ?? []).map((text): Line => ["env", text]),
      ...Object.entries(config.labels ?? {}).map(([name, text]): Line => ["label", `${name}=${text}`]),
    );
  }
  const history = config?.history.map(
    ({ createdBy, comment, isEmpty }): Line => [
      "history",
      `${createdBy ?? comment ?? "unknown"}${isEmpty ? " (no layer)" : ""}`,
    ],
  );
  const lines = factLines([...facts, ...(history ?? [])]);
  return lines.length === 0 ? [] : ["", ...lines];
}

/** As in a Dockerfile. */
function wordsText(words: readonly string[] | undefined): string | undefined {
  return words === undefined || words.length === 0 ? undefined : JSON.stringify(words);
}
