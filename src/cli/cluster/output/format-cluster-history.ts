import type { HistoryDecision, HistoryImageDecision, HistoryJob, HistoryNodeRun } from '../../../cluster/history-schemas.ts';
import { formatDuration } from '../../../platform/duration.ts';
import { formatBytes } from '../../../platform/quantity.ts';
import { countOf } from '../../output/count-of.ts';
import { formatTable } from '../../output/format-table.ts';
import { imageName, printable, shortId } from '../../output/image-name.ts';
import type { Screen } from '../../output/terminal.ts';

export function formatHistoryJobs(jobs: readonly HistoryJob[], { columns }: Screen): string {
  if (jobs.length === 0) return 'The history has no run.\n';
  const rows = jobs.map(({ uid, name, mode, startedAt, endedAt, nodes, states, sums }) => [
    printable(name ?? uid),
    mode ?? '-',
    seconds(startedAt),
    took(startedAt, endedAt),
    String(nodes),
    String(nodes - (states['completed'] ?? 0)),
    String(sums.images),
    String(sums.removed),
    formatBytes(sums.reclaimedBytes),
    String(sums.scanned),
  ]);
  return formatTable(['RUN', 'MODE', 'STARTED', 'TOOK', 'NODES', 'FAILED', 'IMAGES', 'REMOVED', 'FREED', 'SCANNED'], rows, columns);
}

/** Each node with what it came to, then its decisions: what went first. */
export function formatNodeRuns(run: string, nodes: readonly HistoryNodeRun[], { columns }: Screen): string {
  if (nodes.length === 0)
    return `No node has told what came of ${printable(run)}. What they logged: image-cleaner cluster logs ${printable(run)}\n`;
  return nodes.map((node) => formatNode(node, columns)).join('\n');
}

function formatNode({ node, state, startedAt, endedAt, message, summary, decisions }: HistoryNodeRun, columns: number | null): string {
  const figures =
    summary === null
      ? ''
      : `, ${String(summary.removed)} of ${countOf(summary.images, 'image')} removed, about ${formatBytes(summary.reclaimedBytes)} freed, ${String(summary.scanned)} scanned`;
  const head = `${printable(node.name)}: ${state} in ${took(startedAt, endedAt)}${figures}${message === null ? '' : `: ${printable(message)}`}\n`;
  const order = ({ removal }: HistoryDecision): number => (removal === null ? 1 : 0);
  const rows = decisions
    .toSorted((one, other) => order(one) - order(other))
    .map((decision) => [
      outcome(decision),
      nameOf(decision),
      shortId(decision.imageId),
      formatBytes(decision.sizeBytes),
      freed(decision),
      why(decision),
    ]);
  return rows.length === 0 ? head : `${head}${formatTable(['OUTCOME', 'IMAGE', 'ID', 'SIZE', 'FREED', 'REASON'], rows, columns)}`;
}

export function formatImageDecisions(decisions: readonly HistoryImageDecision[], { columns }: Screen): string {
  const rows = decisions.map((decision) => [
    printable(decision.job?.name ?? decision.job?.uid ?? String(decision.runId)),
    printable(decision.node ?? '-'),
    seconds(decision.runStartedAt),
    outcome(decision),
    nameOf(decision),
    shortId(decision.imageId),
    freed(decision),
    why(decision),
  ]);
  return formatTable(['RUN', 'NODE', 'STARTED', 'OUTCOME', 'IMAGE', 'ID', 'FREED', 'REASON'], rows, columns);
}

/** What became of it: `removed`, `kept`, or how the removal ended otherwise. */
export function outcome({ removal }: HistoryDecision): string {
  return removal === null ? 'kept' : removal.state;
}

export function why({ message, removal }: HistoryDecision): string {
  const after = removal?.message ?? removal?.keptBy?.code ?? null;
  return printable(after === null ? message : `${message}; ${removal?.state ?? ''}: ${after}`);
}

export function nameOf({ imageId, repoTags, repoDigests }: HistoryDecision): string {
  return imageName({ id: imageId, repoTags, repoDigests });
}

function freed({ removal }: HistoryDecision): string {
  return removal?.state === 'removed' ? formatBytes(removal.reclaimedBytes) : '-';
}

export function seconds(time: string | null): string {
  return time === null ? '-' : `${time.slice(0, 19)}Z`;
}

function took(startedAt: string | null, endedAt: string | null): string {
  if (startedAt === null || endedAt === null) return '-';
  return formatDuration(Math.ceil(Math.max(Date.parse(endedAt) - Date.parse(startedAt), 0) / 1000) * 1000);
}
