import { setTimeout as sleep } from 'node:timers/promises';
import { type LogLine, readLogs } from '../../../cluster/read-logs.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { printable } from '../../output/image-name.ts';
import type { ClusterOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

export interface LogsOptions extends ClusterOptions {
  readonly container?: string;
  readonly follow?: boolean;
}

/** `image-cleaner cluster logs RUN [NODE]`: what its worker pods have logged, also when they are gone. */
export async function logs(context: CliContext, run: string, node: string | undefined, options: LogsOptions): Promise<ExitCode> {
  const { container, follow = false } = options;
  // Of one container the lines are as they were written, for programs that read them.
  const isOne = node !== undefined && container !== undefined;
  const onLine = ({ node: name, container: from, line }: LogLine): void => {
    context.stdout.write(isOne ? `${printable(line)}\n` : `${printable(`${name} ${from}`)}: ${printable(line)}\n`);
  };
  return withSite(context, options, async (site) => {
    const query = { run, follow, ...(node === undefined ? {} : { node }), ...(container === undefined ? {} : { container }) };
    const count = await readLogs(site, query, {
      onLine,
      onGap: (message) => context.stderr.write(`Warning: ${printable(message)}\n`),
      pause: (ms) => sleep(ms, undefined, { signal: context.signal }).catch(() => undefined),
    });
    if (count === 0) context.stderr.write('Nothing is on record of that.\n');
    return count === 0 ? EXIT.failed : EXIT.done;
  });
}
