import type { DigestRow, LocationRecord } from "@mote/bic";
import { RowReader, type RowWriter } from "./row-bytes.js";

const hasPair = 1;
const hasTransformer = 2;
const isImplied = 4;

export interface NewestRow {
  /** Whether there may be older records, each in its own row. */
  more: boolean;
  /** Newest first. */
  readonly locationRecords: LocationRecord[];
}

export function writeDigestRow(bytes: RowWriter, { pair, transformer }: DigestRow): RowWriter {
  bytes.byte(
    (pair === undefined ? 0 : hasPair) |
      (pair?.implied ? isImplied : 0) |
      (transformer === undefined ? 0 : hasTransformer),
  );
  if (pair !== undefined) bytes.number(pair.sequence).number(pair.lastSeenMs).digest(pair.untransformed);
  if (transformer !== undefined) {
    bytes.number(transformer.sequence).number(transformer.lastSeenMs).text(transformer.name);
  }
  return bytes;
}

export function readDigestRow(reader: RowReader): DigestRow {
  const flags = reader.byte();
  const pair = flags & hasPair ? readPair(reader, (flags & isImplied) !== 0) : undefined;
  if ((flags & hasTransformer) === 0) return pair === undefined ? {} : { pair };
  const transformer = { sequence: reader.number(), lastSeenMs: reader.number(), name: reader.text() };
  return pair === undefined ? { transformer } : { pair, transformer };
}

function readPair(reader: RowReader, implied: boolean): NonNullable<DigestRow["pair"]> {
  const pair = { sequence: reader.number(), lastSeenMs: reader.number(), untransformed: reader.digest() };
  return implied ? { ...pair, implied } : pair;
}

export function writeNewest(bytes: RowWriter, { more, locationRecords }: NewestRow): RowWriter {
  bytes.byte(more ? 1 : 0);
  for (const locationRecord of locationRecords) writeLocationRecord(bytes, locationRecord);
  return bytes;
}

export function readNewest(bytes: Buffer): NewestRow {
  const reader = new RowReader(bytes);
  const more = reader.byte() === 1;
  const locationRecords: LocationRecord[] = [];
  while (!reader.atEnd) locationRecords.push(readLocationRecord(reader));
  return { more, locationRecords };
}

export function readLocationRecord(reader: RowReader): LocationRecord {
  return {
    sequence: reader.number(),
    lastSeenMs: reader.number(),
    gone: reader.byte() === 1,
    location: reader.text(),
  };
}

export function writeLocationRecord(
  bytes: RowWriter,
  { sequence, lastSeenMs, gone, location }: LocationRecord,
): RowWriter {
  return bytes
    .number(sequence)
    .number(lastSeenMs)
    .byte(gone ? 1 : 0)
    .text(location);
}
