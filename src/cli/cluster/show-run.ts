import type { FollowEvent, RunProgress } from '../../cluster/follow-event.ts';
import type { RunEnd } from '../../cluster/run-end.ts';
import type { NodeView } from '../../cluster/worker-view.ts';
import { formatDuration } from '../../platform/duration.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { countOf } from '../output/count-of.ts';
import type { Lines } from '../output/lines.ts';

/** Tells of a run on standard error: on a terminal with a passing line of counts, elsewhere with a line for each change. */
export function showRun({ say, pass, isLive }: Lines): (event: FollowEvent) => void {
  let desired = 0;
  let ended = 0;
  const begun = new Set<string>();
  return (event) => {
    switch (event.kind) {
      case 'waiting':
        say(`Waiting. ${event.why}`);
        return;
      case 'begun': {
        const { status = {}, metadata } = event.job;
        desired = status.desired ?? 0;
        ended = status.skipped ?? 0;
        say(`${metadata.name}: ${countOf(desired, 'node')}${describeSkipped(status)}`);
        return;
      }
      case 'node-ended':
        ended += 1;
        say(`  ${String(Math.min(ended, desired))}/${String(desired)} ${describeNode(event.node)}`);
        return;
      case 'progress': {
        const { progress } = event;
        pass(`  ${describeProgress(progress)}`);
        const next = progress.running.filter((node) => !begun.has(node));
        for (const node of next) begun.add(node);
        if (!isLive && next.length > 0) say(`  at work: ${shortened(next)}`);
      }
    }
  };
}

/** `2 running, 5 succeeded, 0 failed, 1 skipped of 8 nodes: node-3, node-4`. */
function describeProgress({ desired, succeeded, failed, skipped, running }: RunProgress): string {
  const counts = `${String(running.length)} running, ${String(succeeded)} succeeded, ${String(failed)} failed, ${String(skipped)} skipped`;
  return `${counts} of ${countOf(desired, 'node')}${running.length === 0 ? '' : `: ${shortened(running)}`}`;
}

function describeNode({ node, state, removedImages, reclaimedBytes }: NodeView): string {
  const freed =
    removedImages === 0 ? 'nothing removed' : `${countOf(removedImages, 'image')} removed, ${formatBytes(reclaimedBytes)} freed`;
  return state === 'failed' ? `${node} failed` : `${node}: ${freed}`;
}

const MOST_NODES = 10;

function shortened(nodes: readonly string[]): string {
  const rest = nodes.length - MOST_NODES;
  return `${nodes.slice(0, MOST_NODES).join(', ')}${rest > 0 ? ` and ${String(rest)} more` : ''}`;
}

/** For people; the same facts as `runDocument`. */
export function formatRunEnd(end: RunEnd): string {
  const { job, phase, nodes, removedImages, reclaimedBytes, message } = end;
  const counts = `${String(nodes.succeeded)} of ${countOf(nodes.desired, 'node')} succeeded, ${String(nodes.failed)} failed`;
  const lines = [
    `${phase === 'Completed' ? 'Completed' : 'Failed'}: ${job}${describeTime(end)}`,
    `  nodes    ${counts}${describeSkipped(nodes)}`,
    `  removed  ${countOf(removedImages, 'image')}`,
    `  freed    ${formatBytes(reclaimedBytes)}`,
    // All that it says of success is in the counts.
    ...(phase === 'Failed' || nodes.failed > 0 ? [`  ${message}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

export function runDocument({ endedNodes, ...end }: RunEnd): Readonly<Record<string, unknown>> {
  const ended = endedNodes.map(({ node, state, ...removed }) => ({ name: node, result: state, ...removed }));
  return { ...end, nodes: { ...end.nodes, ended } };
}

function describeTime({ startTime, completionTime }: RunEnd): string {
  if (startTime === null || completionTime === null) return '';
  return `, in ${formatDuration(Date.parse(completionTime) - Date.parse(startTime))}`;
}

/** As the API has the reasons. */
const REASONS: Readonly<Record<string, string>> = {
  notReady: 'not ready',
  filtered: 'left out by the configuration',
  windows: 'Windows',
  virtual: 'virtual',
  beingDeleted: 'being deleted',
  notStarted: 'not started',
  unknownRuntime: 'with an unknown runtime',
};

function describeSkipped({
  skipped = 0,
  skippedByReason = {},
}: {
  readonly skipped?: number | undefined;
  readonly skippedByReason?: Readonly<Record<string, number | undefined>> | undefined;
}): string {
  if (skipped === 0) return '';
  const reasons = Object.entries(skippedByReason).map(([reason, count = 0]) => `${String(count)} ${REASONS[reason] ?? reason}`);
  return `, ${String(skipped)} skipped${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`;
}
