import * as z from 'zod';
import type { ProtectingObject } from './decision.ts';
import type { ExclusionList } from './exclusion-list.ts';
import { parseWith, type Parsed } from './problem.ts';

/**
 * What a run has frozen of the exclusions, of its list and of what workloads want again, in configmaps: each has one key, whose text is one part. A
 * configmap holds less than 1 MiB, so there may be several; each says how many, since a part that is missing would protect too little. Worker pods
 * mount those of exclusions and list; of the protections the coordinator tells them.
 */
export const FROZEN_KEYS = { exclusions: 'exclusions.json', imageList: 'image-list.json', protections: 'protections.json' } as const;

/** An object, and the images that it refers to. */
export interface FrozenProtection {
  readonly object: ProtectingObject;
  readonly imageReferences: readonly string[];
}

/** Room for the rest of the configmap. */
const MOST_PART_BYTES = 1_000_000;
/** Mostly short texts, whose quotes are escaped in the configmap's own JSON. */
const MOST_PROTECTIONS_BYTES = 800_000;

const place = { part: z.int().nonnegative(), of: z.int().positive() };
const exclusionsPart = z.strictObject({
  ...place,
  lists: z.array(
    z.strictObject({ name: z.string().min(1), entries: z.array(z.string().min(1)), matching: z.literal('eraser').optional() }),
  ),
});
const imageListPart = z.strictObject({ ...place, images: z.array(z.string()) });
const protectionsPart = z.strictObject({
  ...place,
  protections: z.array(
    z.strictObject({
      object: z.strictObject({ kind: z.string(), namespace: z.string(), name: z.string() }),
      imageReferences: z.array(z.string()),
    }),
  ),
});

/** The texts of the configmaps, in order; at least one. A list that is too long for one part goes on, under its name, in the next. */
export function freezeExclusions(lists: readonly ExclusionList[], mostBytes = MOST_PART_BYTES): string[] {
  const parts = splitBySize(lists.flatMap(itemsOf), mostBytes);
  return parts.map((items, part) => JSON.stringify({ part, of: parts.length, lists: gatherLists(items) }));
}

/** The texts of the configmaps, in order; at least one. */
export function freezeImageList(images: readonly string[], mostBytes = MOST_PART_BYTES): string[] {
  const parts = splitBySize(images, mostBytes);
  return parts.map((items, part) => JSON.stringify({ part, of: parts.length, images: items }));
}

/** The texts of the configmaps, in order; at least one. */
export function freezeProtections(protections: readonly FrozenProtection[], mostBytes = MOST_PROTECTIONS_BYTES): string[] {
  const parts = splitBySize(protections, mostBytes);
  return parts.map((items, part) => JSON.stringify({ part, of: parts.length, protections: items }));
}

export function thawExclusions(texts: readonly string[]): Parsed<ExclusionList[]> {
  const parts = thaw(exclusionsPart, texts);
  return parts.ok ? { ok: true, value: gatherLists(parts.value.flatMap(({ lists }) => lists.flatMap(itemsOf))) } : parts;
}

export function thawImageList(texts: readonly string[]): Parsed<string[]> {
  const parts = thaw(imageListPart, texts);
  return parts.ok ? { ok: true, value: parts.value.flatMap(({ images }) => images) } : parts;
}

export function thawProtections(texts: readonly string[]): Parsed<FrozenProtection[]> {
  const parts = thaw(protectionsPart, texts);
  return parts.ok ? { ok: true, value: parts.value.flatMap(({ protections }) => protections) } : parts;
}

interface ListItem {
  readonly name: string;
  /** null: the list is empty, and is there all the same. */
  readonly entry: string | null;
  readonly matching: ExclusionList['matching'];
}

function itemsOf({ name, entries, matching }: ExclusionList): ListItem[] {
  return entries.length === 0 ? [{ name, entry: null, matching }] : entries.map((entry) => ({ name, entry, matching }));
}

function gatherLists(items: readonly ListItem[]): ExclusionList[] {
  const byName = Map.groupBy(items, ({ name }) => name);
  return [...byName].map(([name, of]) => {
    const entries = of.flatMap(({ entry }) => (entry === null ? [] : [entry]));
    const matching = of[0]?.matching;
    return { name, entries, ...(matching === undefined ? {} : { matching }) };
  });
}

function splitBySize<Item>(items: readonly Item[], mostBytes: number): Item[][] {
  const encoder = new TextEncoder();
  let open: Item[] = [];
  const parts = [open];
  let bytes = 0;
  for (const item of items) {
    const size = encoder.encode(JSON.stringify(item)).length + 1;
    if (open.length > 0 && bytes + size > mostBytes) {
      parts.push((open = []));
      bytes = 0;
    }
    open.push(item);
    bytes += size;
  }
  return parts;
}

function thaw<Part extends { readonly part: number; readonly of: number }>(
  schema: z.ZodType<Part>,
  texts: readonly string[],
): Parsed<Part[]> {
  const parts: Part[] = [];
  for (const [at, text] of texts.entries()) {
    const parsed = parseWith(schema, parseJson(text));
    if (!parsed.ok) return parsed;
    const { part, of } = parsed.value;
    if (part !== at || of !== texts.length) {
      const message = `is part ${part} of ${of}, in the place of part ${at} of ${texts.length}`;
      return { ok: false, errors: [{ path: '', message }] };
    }
    parts.push(parsed.value);
  }
  return { ok: true, value: parts };
}

/** undefined, which no schema takes, where the text is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
