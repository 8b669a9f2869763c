import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FROZEN_KEYS, thawExclusions, thawImageList } from '../api/frozen-lists.ts';
import type { Parsed, Problem } from '../api/problem.ts';
import { compileExclusions, type Exclusions } from '../core/exclusions/exclusions.ts';
import { compileImageList, type ImageList } from '../core/image-list.ts';
import { errorMessage } from '../platform/errors.ts';
import { WorkerError } from './worker-error.ts';

/** Where configmaps are mounted, each in a folder of its own: `0`, `1`, … */
export interface MountedParts {
  readonly folder: string;
  readonly parts: number;
}

/** More than a configmap can hold. */
const MOST_BYTES = 2 * 1024 * 1024;

/** The exclusions of the run. One that cannot be read is an error, never a shorter list: nothing may go that it was to protect. */
export async function readMountedExclusions(mounted: MountedParts): Promise<Exclusions> {
  const lists = valueOf('exclusions', thawExclusions(await readParts(mounted, FROZEN_KEYS.exclusions)));
  const compiled = compileExclusions(lists);
  if (compiled.ok) return compiled.exclusions;
  throw badInput(
    'exclusions',
    compiled.errors.map(({ list, entry, message }) => `${list}: "${entry}": ${message}`),
  );
}

/** The images that a manual run is to remove. */
export async function readMountedImageList(mounted: MountedParts): Promise<ImageList> {
  if (mounted.parts === 0) throw badInput('image list', ['a manual run has none']);
  const entries = valueOf('image list', thawImageList(await readParts(mounted, FROZEN_KEYS.imageList)));
  const compiled = compileImageList(entries);
  if (compiled.ok) return compiled.list;
  throw badInput(
    'image list',
    compiled.errors.map(({ entry, message }) => `"${entry}": ${message}`),
  );
}

async function readParts({ folder, parts }: MountedParts, key: string): Promise<string[]> {
  const paths = Array.from({ length: parts }, (_, part) => join(folder, String(part), key));
  return Promise.all(paths.map(readPart));
}

async function readPart(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > MOST_BYTES) throw new Error('larger than a configmap can be');
    return await file.readFile('utf8');
  } catch (cause) {
    throw new WorkerError({ code: 'bad-input', message: `${path} cannot be read: ${errorMessage(cause)}`, cause });
  }
}

function valueOf<Value>(what: string, parsed: Parsed<Value>): Value {
  if (parsed.ok) return parsed.value;
  throw badInput(
    what,
    parsed.errors.map(({ path, message }: Problem) => (path === '' ? message : `${path}: ${message}`)),
  );
}

/** As many faults as a person reads. */
const MOST_FAULTS = 10;

function badInput(what: string, faults: readonly string[]): WorkerError {
  const rest = faults.length - MOST_FAULTS;
  const shown = faults.slice(0, MOST_FAULTS).join('; ');
  return new WorkerError({ code: 'bad-input', message: `the ${what} cannot be used: ${shown}${rest > 0 ? `; and ${rest} more` : ''}` });
}
