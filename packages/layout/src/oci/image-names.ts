import { type Descriptor, isDigest } from "@mote/core";
import { nameOf } from "./index-file.js";

/** The image's full name in containerd, Docker and BuildKit; `ref.name` is only its tag then. */
const imageName = "io.containerd.image.name";

/**
 * Returns the entries with a name: by the name itself (umoci, skopeo), else by the full reference (containerd, Docker, podman), else
 * by its tag.
 */
export function entriesNamed(entries: readonly Descriptor[], name: string): readonly Descriptor[] {
  const exact = entries.filter((entry) => nameOf(entry) === name);
  if (exact.length > 0) return exact;
  const full = fullName(name);
  const ofImage = entries.filter((entry) => imageNamesOf(entry).some((one) => fullName(one) === full));
  if (ofImage.length > 0 || /[/:@]/.test(name)) return ofImage;
  return entries.filter((entry) => imageNamesOf(entry).some((one) => fullName(one).endsWith(`:${name}`)));
}

/** With registry and tag, like a normalized reference. */
export function fullName(name: string): string {
  if (isDigest(name)) return name;
  const slash = name.indexOf("/");
  const hasHost = slash > 0 && /[.:]|^localhost$/.test(name.slice(0, slash));
  const path = hasHost ? name : `docker.io/${slash < 0 ? `library/${name}` : name}`;
  return path.lastIndexOf(":") > path.lastIndexOf("/") ? path : `${path}:latest`;
}

/** Returns an entry's display name: its name, with the image's if that adds something. */
export function describeName(entry: Descriptor): string | undefined {
  const [name, image] = [nameOf(entry), entry.annotations?.[imageName]];
  if (name === undefined || image === undefined || image === name) return name ?? image;
  return `${name} (${image})`;
}

/** Returns the full reference of an entry if it has one, or else its name. */
export function bestNameOf(entry: Descriptor): string | undefined {
  const name = nameOf(entry);
  return name === undefined || !/[/:]/.test(name) ? (entry.annotations?.[imageName] ?? name) : name;
}

/** Returns the full references among an entry's names. */
function imageNamesOf(entry: Descriptor): readonly string[] {
  const name = nameOf(entry);
  const image = entry.annotations?.[imageName];
  return [...(image === undefined ? [] : [image]), ...(name !== undefined && /[/:]/.test(name) ? [name] : [])];
}
