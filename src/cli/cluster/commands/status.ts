import { setTimeout as sleep } from 'node:timers/promises';
import { judgeStatus } from '../../../cluster/judge-status.ts';
import { readStatus } from '../../../cluster/read-status.ts';
import { RoomError } from '../../../platform/errors.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { printable } from '../../output/image-name.ts';
import { screenOf } from '../../output/terminal.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';
import { describeStatus } from '../output/describe-status.ts';
import { formatStatus } from '../output/format-status.ts';

export interface StatusOptions extends ClusterOutputOptions {
  /** Goes on to look, and shows what has changed. */
  readonly watch?: boolean;
}

const LOOK_EVERY_MS = 2_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

/** `image-cleaner cluster status`: 1 when something needs a person. */
export async function status(context: CliContext, options: StatusOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const look = async (): Promise<{ readonly isHealthy: boolean; readonly show: () => Promise<void>; readonly key: string }> => {
      const facts = await readStatus(site, context.now());
      const problems = judgeStatus(facts);
      const document = describeStatus(facts, problems);
      const table = (): string => formatStatus(facts, problems, { now: context.now(), screen: screenOf(context, context.stdout) });
      return {
        isHealthy: problems.length === 0,
        show: () => writeDocument(context.stdout, options.output, document, table),
        key: JSON.stringify(document),
      };
    };
    if (options.watch === true) return watch(context, look, options.output === 'table' && context.stdout.isTTY === true);
    const { isHealthy, show } = await look();
    await show();
    return isHealthy ? EXIT.done : EXIT.failed;
  });
}

interface Look {
  readonly show: () => Promise<void>;
  /** Another one when there is something else to see. */
  readonly key: string;
}

/** Until the interrupt, which is how it is meant to end. */
async function watch({ stdout, stderr, signal }: CliContext, look: () => Promise<Look>, onScreen: boolean): Promise<ExitCode> {
  let shown = '';
  while (!signal.aborted) {
    try {
      const { show, key } = await look();
      if (key !== shown || onScreen) {
        if (onScreen) stdout.write(CLEAR_SCREEN);
        await show();
      }
      shown = key;
    } catch (error) {
      if (error === signal.reason) break;
      // The API server may be restarted while somebody watches.
      if (!(error instanceof RoomError) || error.action !== 'retry') throw error;
      stderr.write(`${printable(error.message)}\n`);
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return EXIT.interrupted;
}
