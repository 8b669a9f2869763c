import { revokeInHistory } from '../../store/revoke-in-history.ts';
import { historyPath, openHistoryToRead } from '../bind-history.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { countOf } from '../output/count-of.ts';
import { describeVerdict } from '../output/describe-history.ts';
import { formatVerdicts } from '../output/format-verdicts.ts';
import { screenOf } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { HistoryRevokeOptions, HistoryVerdictsOptions } from '../parsed-options.ts';

/** `image-cleaner history verdicts`. */
export async function historyVerdicts(context: CliContext, options: HistoryVerdictsOptions): Promise<ExitCode> {
  const opened = await openHistoryToRead(context, options, (message) => context.stderr.write(`Warning: ${message}\n`));
  try {
    const verdicts = await opened.readVerdicts(options.node);
    if (verdicts === null) throw unknownNode(options.node ?? '');
    const described = verdicts.map(describeVerdict);
    await writeDocument(context.stdout, options.output, described, () => formatVerdicts(described, screenOf(context, context.stdout)));
    return EXIT.done;
  } finally {
    await opened.close();
  }
}

/** `image-cleaner history revoke --node NODE`, while the manager of the cluster has the history open. */
export async function historyRevoke(context: CliContext, options: HistoryRevokeOptions): Promise<ExitCode> {
  const { now, machine } = context;
  const revoked = await revokeInHistory({ path: historyPath(context, options), now, bootClock: machine.bootClock }, options.node);
  if (revoked === null) throw unknownNode(options.node);
  const described = revoked.map(describeVerdict);
  await writeDocument(
    context.stdout,
    options.output,
    described,
    () => `${formatVerdicts(described, screenOf(context, context.stdout))}Revoked: ${countOf(described.length, 'verdict')}.\n`,
  );
  return EXIT.done;
}

function unknownNode(node: string): CliError {
  return new CliError({
    code: 'not-found',
    message: `the history knows no node ${node}`,
    hint: '`image-cleaner history verdicts` lists the nodes that have read an image.',
  });
}
