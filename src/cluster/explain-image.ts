import { compileExclusions, type ExclusionMatch } from '../core/exclusions/exclusions.ts';
import { referenceKeys } from '../core/image-index.ts';
import type { NamedImage } from '../core/names.ts';
import { askHistory } from './ask-history.ts';
import type { ClusterSite } from './cluster-site.ts';
import { type HistoryImageDecision, imageDecisionsSchema } from './history-schemas.ts';
import { readExclusions } from './read-exclusions.ts';
import { type ClusterTraces, findTraces } from './find-traces.ts';

export interface ExplainedImage {
  /** The last decision on each image of that name on each node, by node. Empty: the history has none. */
  readonly decisions: readonly HistoryImageDecision[];
  /** The exclusion that would keep it now; null: none does. */
  readonly excludedBy: ExclusionMatch | null;
  /** Looked for only where there is no decision. */
  readonly traces: ClusterTraces | null;
}

/** Of daily runs on a hundred nodes, the last ten days. */
const MOST_DECISIONS = 1000;

export async function explainImage(site: ClusterSite, image: string, node: string | undefined): Promise<ExplainedImage> {
  const ofNode = node === undefined ? [] : ['--node', node];
  const [all, { lists }] = await Promise.all([
    askHistory(site, imageDecisionsSchema, ['--image', image, '--limit', String(MOST_DECISIONS), ...ofNode]),
    readExclusions(site),
  ]);
  const decisions = lastOfEach(all ?? []);
  const compiled = compileExclusions(lists);
  const [known] = decisions;
  const named = known === undefined ? namedBy(image) : { id: known.imageId, repoTags: known.repoTags, repoDigests: known.repoDigests };
  return {
    decisions,
    excludedBy: compiled.ok ? compiled.exclusions.match(named) : null,
    traces: decisions.length > 0 ? null : await findTraces(site, referenceKeys(image), node),
  };
}

/** Newest first, so the first of each counts. */
function lastOfEach(decisions: readonly HistoryImageDecision[]): HistoryImageDecision[] {
  const last = new Map<string, HistoryImageDecision>();
  for (const decision of decisions) {
    const key = `${decision.node ?? ''} ${decision.imageId}`;
    if (!last.has(key)) last.set(key, decision);
  }
  return [...last.values()].toSorted((one, other) => ((one.node ?? '') < (other.node ?? '') ? -1 : 1));
}

/** As a node would have it that has only this name of it. */
function namedBy(image: string): NamedImage {
  const named = { id: '', repoTags: [], repoDigests: [] };
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return { ...named, id: image };
  return image.includes('@') ? { ...named, repoDigests: [image] } : { ...named, repoTags: [referenceKeys(image)[0] ?? image] };
}
