/**
 * Which package may import which. These rules govern `src`; tests may import more.
 * A package meets the others only through the interfaces of core; wiring happens in preset and in the apps.
 */
const mayImport = {
  core: { packages: [], modules: ["zod"], builtins: ["crypto"] },
  ref: { packages: ["core"], modules: [], builtins: [] },
  fs: { packages: ["core"], modules: [] },
  bic: { packages: ["core"], modules: [], builtins: [] },
  "bic-memory": { packages: ["core", "bic"], modules: [], builtins: [] },
  "bic-lmdb": { packages: ["core", "bic"], modules: ["lmdb"] },
  "bic-redis": { packages: ["core", "bic"], modules: ["ioredis"] },
  registry: { packages: ["core"], modules: ["undici"] },
  s3: { packages: ["core"], modules: ["aws4fetch"] },
  layout: { packages: ["core"], modules: ["tar-stream", "streamx", "zstddec"] },
  tiered: { packages: ["core"], modules: [], builtins: [] },
  transfer: { packages: ["core"], modules: [], builtins: ["events"] },
  mirror: { packages: ["core"], modules: [] },
  delta: { packages: ["core"], modules: [] },
  server: { packages: ["core"], modules: ["bcryptjs", "jose", "prom-client"] },
  conformance: { packages: ["core"], modules: ["fast-check"] },
};

/**
 * Which folder of a package may import which others of it. `disk` of layout is the bottom; tar and compression know nothing of
 * images. `.` stands for the files of the package's top level except index.ts; http of registry knows nothing of repositories.
 */
const folders = {
  fs: {
    disk: [],
    folder: ["disk"],
    processes: ["disk", "folder"],
    blobs: ["disk", "folder", "processes"],
    read: ["disk", "folder", "processes", "blobs"],
    write: ["disk", "folder", "processes", "blobs"],
    tags: ["disk", "folder", "processes", "blobs"],
    prune: ["disk", "folder", "processes", "blobs", "tags"],
    uploads: ["disk", "folder", "processes", "blobs", "tags", "write"],
  },
  layout: {
    disk: [],
    compression: ["disk"],
    parts: ["disk"],
    tar: ["disk", "compression", "parts"],
    oci: ["disk"],
    archive: ["disk", "compression", "parts", "tar", "oci"],
    dir: ["disk", "oci"],
    files: ["disk", "compression", "tar"],
    rootfs: ["disk", "compression", "tar", "files"],
    models: ["files"],
  },
  registry: {
    disk: [],
    http: ["disk"],
    reports: ["http"],
    auth: ["disk", "http", "reports"],
    ".": ["http", "reports", "auth"],
    pull: [".", "http", "reports"],
    push: [".", "http", "reports", "pull"],
    mirrors: [".", "http", "reports", "pull"],
  },
  s3: {
    credentials: ["http"],
    http: ["credentials"],
    bucket: ["http"],
    read: ["http", "bucket"],
    write: ["http", "bucket"],
    tags: ["http", "bucket"],
    fetches: ["http", "bucket", "tags"],
    prune: ["http", "bucket", "read", "tags"],
  },
  server: {
    access: ["routing"],
    fleet: ["routing", "blobs"],
    listening: [".", "routing", "status"],
    status: ["routing", "workers"],
    workers: [],
    routing: ["access"],
    repositories: ["routing"],
    upstreams: ["routing", "repositories", "blobs"],
    manifests: [".", "routing", "repositories", "upstreams"],
    blobs: [".", "routing", "repositories", "upstreams"],
    lists: [".", "routing", "repositories", "upstreams"],
    push: [".", "access", "routing", "repositories", "upstreams"],
  },
  preset: {
    files: [],
    patterns: [],
    references: [],
    inventory: ["references"],
    sources: [".", "endpoints", "references"],
    archives: ["sources"],
    endpoints: [".", "references", "sources"],
    tiers: ["endpoints", "references"],
    rebuild: [".", "files", "references"],
    transfers: [".", "inventory", "rebuild", "references", "sources"],
    deltas: [".", "files", "rebuild", "references", "sources", "transfers"],
    sync: [".", "endpoints", "patterns", "rebuild", "references", "sources", "transfers"],
    inspection: [".", "images", "patterns", "references", "sources", "sync"],
    images: [".", "inspection", "references", "transfers"],
    mirror: [".", "endpoints", "references", "tiers", "transfers"],
    doctor: [".", "endpoints", "inventory", "references", "tiers"],
  },
  "apps/cli": {
    json: [],
    input: [".", "output"],
    settings: ["input", "output"],
    output: [".", "input", "progress", "settings"],
    progress: [".", "output"],
    completion: ["input"],
    help: ["input", "json", "output", "settings"],
    serve: [".", "input", "output", "settings"],
    commands: [".", "completion", "input", "output", "progress", "serve", "settings"],
    table: ["commands", "input", "output", "settings"],
  },
};

const rootOf = (name) => (name.startsWith("apps/") ? name : `packages/${name}`);
const source = (name) => ({ path: `^packages/${name}/src/`, pathNot: "\\.test\\.ts$" });
const installed = (name) => `node_modules/${name}/`;

const rulesFor = ([name, { packages, modules, builtins }]) => {
  const allowed = [
    `^packages/${name}/src/`,
    ...packages.map((other) => `^packages/${other}/src/`),
    ...modules.map(installed),
  ];
  const rules = [
    {
      name: `${name}-imports-only-its-row`,
      comment: `@mote/${name} may import ${[...packages.map((other) => `@mote/${other}`), ...modules].join(", ") || "nothing"}.`,
      severity: "error",
      from: source(name),
      to: { pathNot: allowed, dependencyTypesNot: ["core"] },
    },
  ];
  if (builtins) {
    rules.push({
      name: `${name}-does-no-io`,
      comment: `Of Node, @mote/${name} may import ${builtins.map((b) => `node:${b}`).join(", ") || "nothing"}.`,
      severity: "error",
      from: source(name),
      to: { dependencyTypes: ["core"], pathNot: builtins.map((builtin) => `^(node:)?${builtin}$`) },
    });
  }
  return rules;
};

const filesOf = (folder) => (folder === "." ? "[^/]+$" : `${folder}/`);
const folderRules = Object.entries(folders).flatMap(([name, rows]) => [
  ...Object.entries(rows).map(([folder, others]) => ({
    name: `${name}/${folder}-imports-only-its-row`,
    severity: "error",
    from: { path: `^${rootOf(name)}/src/${filesOf(folder)}`, pathNot: ["\\.test\\.ts$", "/src/index\\.ts$"] },
    to: {
      path: `^${rootOf(name)}/src/`,
      pathNot: `^${rootOf(name)}/src/(${[folder, ...others].map(filesOf).join("|")})`,
    },
  })),
  {
    name: `${name}-has-a-row-for-each-folder`,
    severity: "error",
    from: {
      path: `^${rootOf(name)}/src/[^/]+/`,
      pathNot: `^${rootOf(name)}/src/(${Object.keys(rows).map(filesOf).join("|")})`,
    },
    to: {},
  },
]);

module.exports = {
  forbidden: [
    ...Object.entries(mayImport).flatMap(rulesFor),
    ...folderRules,
    {
      name: "nothing-imports-an-app",
      severity: "error",
      from: { path: "^packages/" },
      to: { path: "^apps/" },
    },
    {
      name: "apps-wire-in-one-place",
      comment:
        "Which class is used where is decided in wire.ts; everything else of an app sees interfaces and the preset.",
      severity: "error",
      from: { path: "^apps/cli/src/", pathNot: ["^apps/cli/src/wire\\.ts$", "\\.test\\.ts$"] },
      to: { path: "^packages/(?!core/)" },
    },
    {
      name: "no-cycles",
      severity: "error",
      from: { path: "^(packages|apps)/" },
      to: { circular: true },
    },
    { name: "nothing-unresolved", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: ["(^|/)dist/", "^packages/[^/]+/test/", "^apps/[^/]+/test/"] },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ["@mote/source", "import", "node", "default", "types"],
      exportsFields: ["exports"],
    },
  },
};
