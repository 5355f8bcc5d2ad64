import type { KnownLocations, MountVerdict } from "@mote/core";
import type { Context } from "../context.js";
import { shortDigest } from "../output/listing.js";
import { locationText } from "../output/location-text.js";
import { formatAge } from "../output/quantity.js";
import { type TableColumn, textTable } from "../output/text-table.js";
import { openReadOnly } from "../wire.js";

const verdicts: Readonly<Record<MountVerdict, string>> = {
  mount: "can be mounted",
  there: "is there",
  send: "has to be sent",
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
  const known = await mote.places(digest, { destination: options.for, signal });
  const locations = await mote.locate(digest, { signal });
  out.result({ ...documentOf(known), ...(path === undefined ? {} : { path }), locations }, [
    ...(path === undefined ? [] : [path]),
    ...lines(context, known),
    ...forecast(known, options.for),
  ]);
  if (path !== undefined || known.places.length > 0) return;
  out.note(`${digest} is known nowhere.`);
  process.exitCode = 1;
}

function lines({ out }: Context, { places, otherForms }: KnownLocations): string[] {
  const { columns: width, style } = out;
  const columns: TableColumn[] = [
    { title: "PLACE", elastic: true },
    { title: "SEEN", align: "right" },
    { title: "THERE" },
    { title: "AS" },
  ];
  const nowMs = Date.now();
  const row = (place: KnownLocations["places"][number], form: string) => [
    locationText(place.ref),
    place.seenMs === undefined ? "" : `${formatAge(nowMs - place.seenMs)} ago`,
    place.verdict === undefined ? "" : verdicts[place.verdict],
    form,
  ];
  const rows = [
    ...places.map((place) => row(place, "")),
    ...otherForms.flatMap((form) => {
      const shown = `${shortDigest(form.digest)} (${form.transformerName})`;
      return form.places.length === 0 ? [["-", "", "", shown]] : form.places.map((place) => row(place, shown));
    }),
  ];
  return textTable(columns, rows, { width, style });
}

/** What would happen at the destination that was asked for. */
function forecast({ places }: KnownLocations, destination: string | undefined): string[] {
  if (destination === undefined) return [];
  if (places.some(({ verdict }) => verdict === "there")) return [`${destination} has it: nothing would be sent`];
  const from = places.find(({ verdict }) => verdict === "mount");
  if (from !== undefined)
    return [`${destination} would mount it from ${locationText(from.ref)}: nothing would be sent`];
  return [`${destination} would be sent the bytes: it is known in no repository of that registry`];
}

function documentOf({ digest, places, untransformed, otherForms }: KnownLocations): object {
  const place = ({ ref, seenMs, verdict }: KnownLocations["places"][number]) => ({
    location: locationText(ref),
    ...(seenMs === undefined ? {} : { seenMs }),
    ...(verdict === undefined ? {} : { verdict }),
  });
  return {
    digest,
    places: places.map(place),
    ...(untransformed === undefined ? {} : { untransformed }),
    otherForms: otherForms.map((form) => ({ ...form, places: form.places.map(place) })),
  };
}
