import { type ExplainedImage, explainImage } from '../../../cluster/explain-image.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { formatTable } from '../../output/format-table.ts';
import { printable, shortId } from '../../output/image-name.ts';
import { screenOf, type Screen } from '../../output/terminal.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';
import { nameOf, outcome, seconds, why } from '../output/format-cluster-history.ts';

export interface ClusterExplainOptions extends ClusterOutputOptions {
  readonly node?: string;
}

/** `image-cleaner cluster explain IMAGE`: the last decision on it on every node, and why; 1 when none was made. */
export async function clusterExplain(context: CliContext, image: string, options: ClusterExplainOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const explained = await explainImage(site, image, options.node);
    const { decisions, excludedBy, traces } = explained;
    const nodes = decisions.map((decision) => ({
      ...decision,
      node: decision.node ?? '',
      decision: decision.outcome,
      outcome: outcome(decision),
    }));
    await writeDocument(context.stdout, options.output, { image, nodes, excludedBy, traces }, () =>
      formatExplained(image, explained, screenOf(context, context.stdout)),
    );
    return decisions.length > 0 ? EXIT.done : EXIT.failed;
  });
}

function formatExplained(image: string, { decisions, excludedBy, traces }: ExplainedImage, { columns }: Screen): string {
  const exclusion =
    excludedBy === null
      ? 'No exclusion matches it now.\n'
      : `Now excluded by "${printable(excludedBy.entry)}" (${printable(excludedBy.list)}).\n`;
  if (decisions.length > 0) {
    const rows = decisions.map((decision) => [
      printable(decision.node ?? '-'),
      printable(decision.job?.name ?? decision.job?.uid ?? '-'),
      seconds(decision.runStartedAt),
      outcome(decision),
      decision.reason.code,
      nameOf(decision),
      shortId(decision.imageId),
      why(decision),
    ]);
    return `${formatTable(['NODE', 'RUN', 'STARTED', 'OUTCOME', 'RULE', 'IMAGE', 'ID', 'REASON'], rows, columns)}\n${exclusion}`;
  }
  return [
    `The history has no decision on ${printable(image)}: no run has met an image of that name on a node.\n`,
    exclusion,
    tracesOf('Nodes that tell of it (each tells of its largest images only)', traces?.nodes ?? null),
    tracesOf('Pods that name it', traces?.pods ?? null),
  ].join('');
}

function tracesOf(what: string, names: readonly string[] | null): string {
  return `${what}: ${names === null ? 'may not be read' : names.length === 0 ? 'none' : names.map(printable).join(', ')}.\n`;
}
