import type { KnownLocations, MountVerdict } from "@mote/core";
import type { Context } from "../context.js";
import { shortDigest } from "../output/listing.js";
import { locationText } from "../output/location-text.js";
import { formatAge } from "../output/quantity.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { openReadOnly } from "../wire.js";

const verdicts: Readonly<Record<MountVerdict, string>> = {
  mount: "can be mounted",
  there: "present",
  send: "upload needed",
};

export async function locate(
  context: Context,
  text: string,
  options: { readonly for?: string | undefined },
): Promise<void> {
  const { out, signal } = context;
  await using mote = await openReadOnly(context);
  const { digest } = await mote.find(text);
  const path = (await mote.cache.moteExists(digest)) ? mote.cache.moteRef(digest) : undefined;
  const known = await mote.knownLocations(digest, { destination: options.for, signal });
  const locations = await mote.locate(digest, { signal });
  out.result({ ...documentOf(known), path, locations }, [
    ...(path === undefined ? [] : [path]),
    ...lines(context, known),
    ...forecast(known, options.for),
  ]);
  if (path !== undefined || known.locations.length > 0) return;
  out.note(`No location of ${digest} is known.`);
  process.exitCode = 1;
}

function lines({ out }: Context, { locations, otherForms }: KnownLocations): string[] {
  const { columns: width, style } = out;
  const columns: TableColumn[] = [
    { title: "LOCATION", elastic: true },
    { title: "SEEN", align: "right" },
    { title: "AT DEST" },
    { title: "FORM" },
  ];
  const nowMs = Date.now();
  const row = (place: KnownLocations["locations"][number], form: string) => [
    locationText(place.ref),
    place.seenMs === undefined ? "" : `${formatAge(nowMs - place.seenMs)} ago`,
    place.verdict === undefined ? "" : verdicts[place.verdict],
    form,
  ];
  const rows = [
    ...locations.map((place) => row(place, "")),
    ...otherForms.flatMap((form) => {
      const shown = `${shortDigest(form.digest)} (${form.transformerName})`;
      return form.locations.length === 0 ? [["-", "", "", shown]] : form.locations.map((place) => row(place, shown));
    }),
  ];
  return textTable(columns, rows, { width, style });
}

/** Predicts what a push to the destination would do. */
function forecast({ locations }: KnownLocations, destination: string | undefined): string[] {
  if (destination === undefined) return [];
  if (locations.some(({ verdict }) => verdict === "there")) return [`${destination} already has it: no upload needed`];
  const from = locations.find(({ verdict }) => verdict === "mount");
  if (from !== undefined) return [`${destination} can mount it from ${locationText(from.ref)}: no upload needed`];
  return [`upload needed: no repository of the registry of ${destination} is known to have it`];
}

function documentOf({ digest, locations, untransformed, otherForms }: KnownLocations): object {
  const place = ({ ref, ...seen }: KnownLocations["locations"][number]) => ({ location: locationText(ref), ...seen });
  const forms = otherForms.map(({ locations, ...form }) => ({ ...form, places: locations.map(place) }));
  return { digest, places: locations.map(place), untransformed, otherForms: forms };
}
