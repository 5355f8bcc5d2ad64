import { type Html, html } from "./html.js";

/** How clients reach this server. */
export interface SetupFacts {
  /** `https` or `http`. */
  readonly scheme: string;
  /** With the port. */
  readonly host: string;
  /** The names of the upstreams. */
  readonly upstreams: readonly string[];
  /** The upstream of requests that name none. */
  readonly defaultUpstream: string | undefined;
  readonly takesPushes: boolean;
  /** A stored image, as an example. */
  readonly exampleImage: string | undefined;
}

interface Client {
  readonly name: string;
  readonly steps: readonly Html[];
}

/** Shows how to set up the clients, with texts that are ready to copy. */
export function clientSetup(facts: SetupFacts): Html {
  const clients = [
    ...(facts.upstreams.length === 0 ? localClients(facts) : mirrorClients(facts)),
    // With a default upstream, names without a registry are those of the upstream.
    ...(facts.takesPushes && facts.defaultUpstream === undefined ? [pushClient(facts)] : []),
  ];
  return html`<div class="clients">${clients.map(
    ({ name, steps }, at) => html`
<details name="client"${at === 0 ? html` open` : html``}>
<summary>${name}</summary>
<div class="steps">${steps}</div>
</details>`,
  )}
</div>`;
}

/** An image that can be pulled from the server by its full name. */
export function exampleImage({ upstreams, exampleImage }: Pick<SetupFacts, "upstreams" | "exampleImage">): string {
  const [first = "docker.io"] = upstreams;
  const example = first === "docker.io" ? "docker.io/library/alpine:3.20" : `${first}/team/app:1.0`;
  return exampleImage ?? example;
}

function mirrorClients(facts: SetupFacts): Client[] {
  const { scheme, host, upstreams } = facts;
  const insecure = isInsecure(facts);
  const { noTls, plainHttp } = httpOptions(facts);
  const image = exampleImage(facts);
  const registries = upstreams.map((name) => {
    const lines = ["[[registry]]", `prefix = "${name}"`, `location = "${name}"`, "", "[[registry.mirror]]"];
    return [...lines, `location = "${host}/${name}"`, ...(scheme === "http" ? ["insecure = true"] : [])].join("\n");
  });
  return [
    { name: "Docker", steps: dockerSteps(facts) },
    {
      name: "containerd and Kubernetes",
      steps: [
        file("/etc/containerd/certs.d/_default/hosts.toml", [
          `[host."${scheme}://${host}"]`,
          '  capabilities = ["pull", "resolve"]',
        ]),
        note(
          "No restart is needed. containerd asks here first, for every registry, and the registry itself if this server does not mirror it. Its configuration must have this line:",
        ),
        code('config_path = "/etc/containerd/certs.d"'),
      ],
    },
    {
      name: "Podman, Buildah and CRI-O",
      steps: [
        file("/etc/containers/registries.conf.d/50-mote.conf", [registries.join("\n\n")]),
        note("Names stay as they are. skopeo reads the same file."),
      ],
    },
    {
      name: "skopeo, ORAS, Helm and mote",
      steps: [
        note("By the name of the registry below this address:"),
        commands(
          `skopeo inspect ${noTls}docker://${host}/${image}`,
          `oras pull ${plainHttp}${host}/${image}`,
          `helm pull ${plainHttp}oci://${host}/${upstreams[0]}/charts/app`,
          `mote pull ${image} --mirror ${upstreamOf(image, upstreams)}=${insecure ? `http://${host}` : host}`,
        ),
      ],
    },
  ];
}

function dockerSteps(facts: SetupFacts): Html[] {
  const { scheme, host, defaultUpstream, upstreams } = facts;
  const isMirror = defaultUpstream === "docker.io";
  const settings = {
    ...(isMirror ? { "registry-mirrors": [`${scheme}://${host}`] } : {}),
    ...(isInsecure(facts) ? { "insecure-registries": [host] } : {}),
  };
  const others = upstreams.filter((name) => !isMirror || name !== "docker.io");
  const byName = [
    note(
      isMirror
        ? "Docker asks a mirror for Docker Hub only. Other registries by their name:"
        : "By the name of the registry below this address:",
    ),
    commands(
      ...others.map((name) => `docker pull ${host}/${exampleImage({ upstreams: [name], exampleImage: undefined })}`),
    ),
  ];
  return [
    ...(Object.keys(settings).length === 0
      ? []
      : [
          file("/etc/docker/daemon.json", [jsonOf(settings)]),
          note("Then restart Docker:"),
          code("sudo systemctl restart docker"),
        ]),
    ...(others.length === 0 ? [] : byName),
  ];
}

function localClients(facts: SetupFacts): Client[] {
  const { noTls, plainHttp } = httpOptions(facts);
  const image = `${facts.host}/${exampleImage(facts)}`;
  return [
    { name: "Docker and Podman", steps: [commands(`docker pull ${image}`, `podman pull ${noTls}${image}`)] },
    {
      name: "skopeo, ORAS and mote",
      steps: [
        commands(
          `skopeo inspect ${noTls}docker://${image}`,
          `oras pull ${plainHttp}${image}`,
          `mote pull ${image} ${plainHttp}`.trimEnd(),
        ),
      ],
    },
  ];
}

function pushClient(facts: SetupFacts): Client {
  const image = `${facts.host}/team/app:1.0`;
  const push = `mote push FILE ${image} ${httpOptions(facts).plainHttp}`.trimEnd();
  return {
    name: "Push your own images",
    steps: [
      note("This server takes pushes to names without a registry:"),
      commands(`docker tag app ${image}`, `docker push ${image}`, push),
    ],
  };
}

/** Whether clients must be told to use HTTP, which they do by default only on loopback. */
function isInsecure({ scheme, host }: Pick<SetupFacts, "scheme" | "host">): boolean {
  return scheme === "http" && !/^(localhost|127\.|\[::1\])/.test(host);
}

/** The options of clients for HTTP, each with a space behind it. */
function httpOptions(facts: SetupFacts) {
  return {
    noTls: facts.scheme === "http" ? "--tls-verify=false " : "",
    plainHttp: isInsecure(facts) ? "--plain-http " : "",
  };
}

function upstreamOf(image: string, upstreams: readonly string[]): string | undefined {
  return upstreams.find((name) => image.startsWith(`${name}/`)) ?? upstreams[0];
}

function jsonOf(settings: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(settings).map(([key, values]) => `  "${key}": ${JSON.stringify(values)}`);
  return `{\n${lines.join(",\n")}\n}`;
}

function note(text: string): Html {
  return html`<p>${text}</p>`;
}

function file(path: string, lines: readonly string[]): Html {
  return html`<figure class="code"><figcaption>${path}</figcaption><pre tabindex="0"><code>${lines.join("\n")}</code></pre></figure>`;
}

function commands(...lines: readonly string[]): Html {
  return code(lines.join("\n"));
}

/** Commands or a line of a file. */
export function code(text: string): Html {
  return html`<figure class="code"><pre tabindex="0"><code>${text}</code></pre></figure>`;
}
