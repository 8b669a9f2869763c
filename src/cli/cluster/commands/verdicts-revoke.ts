import { askHistory } from '../../../cluster/ask-history.ts';
import { verdictsSchema, type HistoryVerdict } from '../../../cluster/history-schemas.ts';
import { listJobs } from '../../../cluster/read-jobs.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { countOf } from '../../output/count-of.ts';
import { formatVerdicts } from '../../output/format-verdicts.ts';
import { printable } from '../../output/image-name.ts';
import { screenOf } from '../../output/terminal.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { confirmOrRefuse } from '../confirm-or-refuse.ts';
import { withSite } from '../connect-site.ts';
import { nothingFrom, readVerdicts } from './verdicts-list.ts';

export interface VerdictsRevokeOptions extends ClusterOutputOptions {
  readonly node: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** `image-cleaner cluster verdicts revoke --node NODE`: what came from there is gone, and is read anew by the next run. */
export async function verdictsRevoke(context: CliContext, options: VerdictsRevokeOptions): Promise<ExitCode> {
  const { node, dryRun, output } = options;
  const screen = screenOf(context, context.stdout);
  return withSite(context, options, async (site) => {
    const tell = (verdicts: readonly HistoryVerdict[]): Promise<void> =>
      writeDocument(context.stdout, output, { namespace: site.namespace, node, dryRun, verdicts }, () =>
        dryRun ? formatVerdicts(verdicts, screen) : formatRevoked(node, verdicts.length),
      );
    if (dryRun || !options.yes) {
      const verdicts = await readVerdicts(site, node);
      if (dryRun) {
        await tell(verdicts);
        return EXIT.done;
      }
      const what = `what ${node} has told of ${countOf(verdicts.length, 'image')}`;
      const consent = { question: `Take back ${printable(what)}?`, what: `verdicts revoke takes back ${what}` };
      if (!(await confirmOrRefuse(context, options, consent))) return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
    }
    const running = (await listJobs(site)).filter(({ phase }) => phase === 'Running');
    const revoked = await askHistory(site, verdictsSchema, [`--revoke=${node}`]);
    if (revoked === null) throw nothingFrom(node);
    for (const { name } of running) {
      const warning = `the run ${name} is under way, and its nodes go by what they were told before: image-cleaner cluster history ${name}`;
      context.stderr.write(`Warning: ${printable(warning)}\n`);
    }
    await tell(revoked);
    return EXIT.done;
  });
}

function formatRevoked(node: string, count: number): string {
  const back =
    count === 0
      ? `Nothing was kept that ${node} has told of an image.`
      : `What ${node} has told of ${countOf(count, 'image')} is taken back: ${count === 1 ? 'it stays' : 'they stay'} until a run has read ${count === 1 ? 'it' : 'them'} anew.`;
  const keepOut = `To keep it out of later runs: kubectl label node ${node} eraser.sh/cleanup.filter=true`;
  return `${printable(back)}\nWhat it tells in a run that has begun counts no more.\n${printable(keepOut)}\n`;
}
