import * as z from 'zod';
import { parseExclusionList, type ExclusionList } from './exclusion-list.ts';
import { parseWith, type Parsed, type Problem } from './problem.ts';

/** Marks the configmaps, in the manager's own namespace, that hold exclusion lists. */
export const EXCLUSION_LABEL = { name: 'eraser.sh/exclude.list', value: 'true' } as const;

/** The system's own list, on AKS; in force whether it is labelled or not. */
export const SYSTEM_EXCLUSION_NAME = 'eraser-system-exclusion';

const configMapSchema = z.object({
  metadata: z.object({ name: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
  binaryData: z.record(z.string(), z.string()).nullish(),
});

/**
 * The lists of a labelled configmap, as the API server gives it: one for each key that ends in `.json`, named `CONFIGMAP/KEY`, in order of the keys.
 * A configmap without any such key is an error, as it is in Eraser: someone meant to protect something. The paths of problems begin with
 * `CONFIGMAP/KEY` too.
 */
export function parseExclusionConfigMap(raw: unknown): Parsed<readonly ExclusionList[]> {
  const map = parseWith(configMapSchema, raw);
  if (!map.ok) return map;
  const { metadata, data, binaryData } = map.value;
  const errors: Problem[] = jsonKeys(binaryData).map((key) => ({ path: `${metadata.name}/${key}`, message: 'is not UTF-8 text' }));
  const keys = jsonKeys(data);
  if (keys.length + errors.length === 0)
    errors.push({ path: metadata.name, message: `has no key that ends in .json; ${EXPECTED} under one` });
  const lists: ExclusionList[] = [];
  for (const key of keys) {
    const name = `${metadata.name}/${key}`;
    const list = parseExclusionList(name, data?.[key] ?? '');
    if (list.ok) lists.push(list.value);
    else errors.push(...list.errors.map((problem) => placeProblem(name, problem)));
  }
  return errors.length === 0 ? { ok: true, value: lists } : { ok: false, errors };
}

const EXPECTED = 'expected is {"excluded": ["ghcr.io/acme/*"]}';

function placeProblem(list: string, { path, message }: Problem): Problem {
  return { path: path === '' ? list : `${list}: ${path}`, message: `${message}; ${EXPECTED}` };
}

function jsonKeys(data: Readonly<Record<string, string>> | null | undefined): string[] {
  return Object.keys(data ?? {})
    .filter((key) => key.endsWith('.json'))
    .sort();
}
