import { parseExclusionConfigMap } from '../../api/exclusion-config-map.ts';
import type { ExclusionList } from '../../api/exclusion-list.ts';
import { shorten, type Problem } from '../../api/problem.ts';
import { compareTexts } from '../../core/compare-texts.ts';
import { compileExclusions } from '../../core/exclusions/exclusions.ts';
import type { RawObject } from '../raw-object.ts';

export type JudgedExclusions =
  | { readonly ok: true; readonly lists: readonly ExclusionList[] }
  /** By configmap. Nothing may be removed then: what a list would protect is not known. */
  | { readonly ok: false; readonly faults: readonly ExclusionFault[] };

export interface ExclusionFault {
  readonly configMap: RawObject;
  readonly problems: readonly Problem[];
}

/** All lists of all configmaps, in order of their names; or what is wrong, in every one of them. */
export function judgeExclusions(configMaps: readonly RawObject[]): JudgedExclusions {
  const lists: ExclusionList[] = [];
  const faults: ExclusionFault[] = [];
  for (const configMap of [...configMaps].sort((a, b) => compareTexts(a.metadata.name, b.metadata.name))) {
    const parsed = parseExclusionConfigMap(configMap);
    const problems = parsed.ok ? entryProblems(parsed.value) : parsed.errors;
    if (!parsed.ok || problems.length > 0) faults.push({ configMap, problems });
    else lists.push(...parsed.value);
  }
  return faults.length === 0 ? { ok: true, lists } : { ok: false, faults };
}

function entryProblems(lists: readonly ExclusionList[]): Problem[] {
  const compiled = compileExclusions(lists);
  if (compiled.ok) return [];
  return compiled.errors.map(({ list, entry, message }) => ({ path: list, message: `"${shorten(entry)}": ${message}` }));
}
