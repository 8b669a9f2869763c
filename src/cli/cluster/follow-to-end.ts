import type { ClusterSite } from '../../cluster/cluster-site.ts';
import { followRun, type FollowOptions } from '../../cluster/follow-run.ts';
import type { RunEnd } from '../../cluster/run-end.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { createLines } from '../output/lines.ts';
import { writeDocument, type OutputFormat } from '../output/write-document.ts';
import { formatRunEnd, runDocument, showRun } from './show-run.ts';

export interface FollowCommandOptions {
  /** Milliseconds. */
  readonly timeout?: number;
  readonly output: OutputFormat;
}

/** Follows a run, and writes what came of it. null: an interrupt came, and the run goes on without this command. */
export async function followToEnd(
  context: CliContext,
  site: ClusterSite,
  { timeout, begin, find }: Pick<FollowOptions, 'begin' | 'find'> & Pick<FollowCommandOptions, 'timeout'>,
): Promise<RunEnd | null> {
  const lines = createLines(context);
  const asked = { hasBegun: false };
  const beginOnce = async (): Promise<void> => {
    asked.hasBegun = true;
    await begin();
  };
  try {
    const options = { begin: beginOnce, find, onEvent: showRun(lines), timeoutMs: timeout ?? null, timing: SYSTEM_TIMING };
    return await followRun(site, options);
  } catch (error) {
    if (!context.signal.aborted || !asked.hasBegun) throw error;
    lines.say('The run goes on without this command.');
    lines.say('To follow it again: image-cleaner cluster run --attach. To look at it: image-cleaner cluster status');
    return null;
  } finally {
    lines.clear();
  }
}

/** The exit code of a command that has followed a run. */
export async function writeRunEnd(context: CliContext, output: OutputFormat, end: RunEnd | null): Promise<ExitCode> {
  if (end === null) return EXIT.interrupted;
  await writeDocument(context.stdout, output, runDocument(end), () => formatRunEnd(end));
  return end.phase === 'Completed' ? EXIT.done : EXIT.failed;
}
