import { askHistory } from '../../../cluster/ask-history.ts';
import { ClusterError } from '../../../cluster/cluster-error.ts';
import type { ClusterSite } from '../../../cluster/cluster-site.ts';
import { verdictsSchema, type HistoryVerdict } from '../../../cluster/history-schemas.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { formatVerdicts } from '../../output/format-verdicts.ts';
import { screenOf } from '../../output/terminal.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

export interface VerdictsListOptions extends ClusterOutputOptions {
  readonly node?: string;
}

/** `image-cleaner cluster verdicts list`. */
export async function verdictsList(context: CliContext, { node, ...options }: VerdictsListOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const verdicts = await readVerdicts(site, node);
    await writeDocument(context.stdout, options.output, verdicts, () => formatVerdicts(verdicts, screenOf(context, context.stdout)));
    return EXIT.done;
  });
}

/** @throws ClusterError `not-found`: the node was never heard of */
export async function readVerdicts(site: ClusterSite, node: string | undefined): Promise<HistoryVerdict[]> {
  const verdicts = await askHistory(site, verdictsSchema, ['--verdicts', ...(node === undefined ? [] : [`--node=${node}`])]);
  if (verdicts === null) throw nothingFrom(node ?? '');
  return verdicts;
}

export function nothingFrom(node: string): ClusterError {
  return new ClusterError({
    code: 'not-found',
    message: `Nothing came from a node ${node}: the history of the cluster knows none of that name`,
    hint: '`image-cleaner cluster verdicts list` shows the nodes that have read an image.',
  });
}
