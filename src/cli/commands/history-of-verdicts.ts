import type { HistoryReader } from '../../store/history.ts';
import { revokeInHistory } from '../../store/revoke-in-history.ts';
import { clusterHistoryPlace } from '../bind-history.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { countOf } from '../output/count-of.ts';
import { describeVerdict } from '../output/describe-history.ts';
import { formatVerdicts } from '../output/format-verdicts.ts';
import { screenOf } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { HistoryCommandOptions } from '../parsed-options.ts';

interface Show {
  readonly context: CliContext;
  readonly options: HistoryCommandOptions;
  readonly history: HistoryReader;
}

/** `history --verdicts`. */
export async function showVerdicts({ context, options, history }: Show): Promise<void> {
  const verdicts = await history.readVerdicts(options.node);
  if (verdicts === null) throw unknownNode(options.node ?? '');
  const described = verdicts.map(describeVerdict);
  await writeDocument(context.stdout, options.output, described, () => formatVerdicts(described, screenOf(context, context.stdout)));
}

/** `history --revoke NODE`, while the manager of the cluster has the history open. */
export async function revoke(context: CliContext, node: string, options: HistoryCommandOptions): Promise<void> {
  const { now, machine } = context;
  const revoked = await revokeInHistory({ place: await clusterHistoryPlace(context, options), now, bootClock: machine.bootClock }, node);
  if (revoked === null) throw unknownNode(node);
  const described = revoked.map(describeVerdict);
  await writeDocument(
    context.stdout,
    options.output,
    described,
    () => `${formatVerdicts(described, screenOf(context, context.stdout))}Revoked: ${countOf(described.length, 'verdict')}.\n`,
  );
}

function unknownNode(node: string): CliError {
  return new CliError({
    code: 'not-found',
    message: `the history knows no node ${node}`,
    hint: '`image-cleaner history --verdicts` lists the nodes that have read an image.',
  });
}
