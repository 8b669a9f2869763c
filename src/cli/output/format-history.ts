import type { DecisionRecord, JobRecord, NodeOfRun, RemovalState, RunRecord } from '../../api/run-record.ts';
import { formatReason } from '../../core/format-reason.ts';
import { formatDuration } from '../../platform/duration.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { FIGURES } from './describe-decision.ts';
import { formatTime, type ImageDecision } from './describe-history.ts';
import { OUTCOME_WORDS } from './format-outcome.ts';
import { formatTable } from './format-table.ts';
import { imageName, printable, shortId } from './image-name.ts';
import type { Screen } from './terminal.ts';

/** Runs as a table, newest first; of a cluster, with node and job. */
export function formatRuns(runs: readonly RunRecord[], { columns }: Screen): string {
  const ofCluster = runs.some(({ node }) => node !== undefined);
  const rows = runs.map(({ id, startedAt, endedAt, state, mode, summary, message, node }) => [
    String(id),
    ...(ofCluster ? [formatNode(node), node === undefined ? '-' : jobName(node)] : []),
    formatSeconds(startedAt),
    endedAt === null ? '-' : formatDuration(wholeSeconds(endedAt - startedAt)),
    mode,
    state,
    ...(summary === null
      ? ['-', '-', '-', '-', '-']
      : [
          String(summary.images),
          String(summary.removed),
          String(summary.failed),
          formatBytes(summary.reclaimedBytes),
          String(summary.scanned),
        ]),
    printable(
      firstLine(message ?? (summary === null || summary.notAttempted === 0 ? '' : `${String(summary.notAttempted)} not attempted`)),
    ),
  ]);
  const headings = [
    'RUN',
    ...(ofCluster ? ['NODE', 'JOB'] : []),
    'STARTED',
    'TOOK',
    'MODE',
    'STATE',
    'IMAGES',
    'REMOVED',
    'FAILED',
    'FREED',
    'SCANNED',
    'MESSAGE',
  ];
  return formatTable(headings, rows, columns);
}

/** Jobs of a cluster as a table, newest first, with the sums over their nodes. */
export function formatJobRecords(jobs: readonly JobRecord[], { columns }: Screen): string {
  const rows = jobs.map(({ uid, name, mode, startedAt, endedAt, nodes, states, sums }) => [
    printable(name ?? uid),
    mode ?? '-',
    startedAt === null ? '-' : formatSeconds(startedAt),
    startedAt === null || endedAt === null ? '-' : formatDuration(wholeSeconds(endedAt - startedAt)),
    String(nodes),
    String(nodes - states.completed),
    String(sums.images),
    String(sums.removed),
    formatBytes(sums.reclaimedBytes),
    String(sums.scanned),
  ]);
  return formatTable(['JOB', 'MODE', 'STARTED', 'TOOK', 'NODES', 'FAILED', 'IMAGES', 'REMOVED', 'FREED', 'SCANNED'], rows, columns);
}

/** One run: what is known of it, then its decisions, what went first. */
export function formatRecordedRun(run: RunRecord, decisions: readonly DecisionRecord[], { columns }: Screen): string {
  const facts: readonly (readonly [string, string])[] = [
    ['Run', `${String(run.id)}, ${run.mode}, ${run.state}`],
    ...(run.node === undefined ? machineFacts(run) : nodeFacts(run, run.node)),
    ...(run.message === null ? [] : [['Message', run.message] as const]),
    ...(run.summary === null
      ? []
      : [
          [
            'Freed',
            `about ${formatBytes(run.summary.reclaimedBytes)} by ${String(run.summary.removed)} of ${String(run.summary.images)} images`,
          ] as const,
        ]),
  ];
  const head = facts.map(([name, value]) => `${`${name}:`.padEnd(9)} ${printable(value)}\n`).join('');
  const order = (record: DecisionRecord): number => (record.removal === null ? 1 : 0);
  const rows = decisions
    .toSorted((a, b) => order(a) - order(b))
    .map((record) => [
      formatOutcome(record),
      imageName(imageOf(record)),
      shortId(record.imageId),
      formatBytes(record.sizeBytes),
      formatFreed(record),
      formatWhy(record),
    ]);
  return rows.length === 0 ? head : `${head}\n${formatTable(['OUTCOME', 'IMAGE', 'ID', 'SIZE', 'FREED', 'REASON'], rows, columns)}`;
}

function machineFacts(run: RunRecord): readonly (readonly [string, string])[] {
  return [
    ['Started', `${formatTime(run.startedAt)} by ${run.user} on ${run.host} (image-cleaner ${run.version}, process ${String(run.pid)})`],
    ['Ended', run.endedAt === null ? '-' : formatTime(run.endedAt)],
    ['Runtime', `${run.runtime === null ? '' : `${run.runtime.name} ${run.runtime.version} at `}${run.runtimeEndpoint}`],
    ['Scanner', formatScanner(run)],
    ['Command', run.command.join(' ')],
  ];
}

function nodeFacts(run: RunRecord, node: NodeOfRun): readonly (readonly [string, string])[] {
  const { name, uid } = node.job;
  return [
    ['Node', node.name],
    ['Job', name === null ? `of the uid ${uid}` : `${name} (uid ${uid})`],
    ['Started', `${formatTime(run.startedAt)} by the clock of the node (image-cleaner ${run.version})`],
    ['Ended', run.endedAt === null ? '-' : formatTime(run.endedAt)],
    ['Recorded', formatTime(node.recordedAt)],
    ['Runtime', run.runtime === null ? 'was not reached' : `${run.runtime.name} ${run.runtime.version}`],
    ...(node.omittedFindings === 0 ? [] : [['Findings', `${String(node.omittedFindings)} of the least severe were left out`] as const]),
  ];
}

function formatNode(node: { readonly name: string } | undefined): string {
  return node === undefined ? '-' : printable(node.name);
}

function jobName({ job }: Pick<NodeOfRun, 'job'>): string {
  return printable(job.name ?? job.uid);
}

/** All that was ever decided on an image, newest first; runs that kept it for the same reason, on one node, are one line. */
export function formatImageHistory(decisions: readonly ImageDecision[], { columns }: Screen): string {
  const ofCluster = decisions.some(({ node }) => node !== undefined);
  const rows = groupsOf(decisions).map(({ newest, oldest }) => {
    const { decision } = newest;
    const [first, last] = [oldest.decision.runId, decision.runId];
    return [
      first === last ? String(last) : `${String(first)}-${String(last)}`,
      ...(ofCluster ? [formatNode(newest.node)] : []),
      newest.startedAt === null ? '-' : formatSeconds(newest.startedAt),
      formatOutcome(decision),
      imageName(imageOf(decision)),
      shortId(decision.imageId),
      formatFreed(decision),
      formatWhy(decision, Number.POSITIVE_INFINITY),
    ];
  });
  return formatTable(['RUN', ...(ofCluster ? ['NODE'] : []), 'STARTED', 'OUTCOME', 'IMAGE', 'ID', 'FREED', 'REASON'], rows, columns);
}

interface Group {
  readonly newest: ImageDecision;
  oldest: ImageDecision;
}

function groupsOf(decisions: readonly ImageDecision[]): Group[] {
  const groups: Group[] = [];
  /** The last group of each image and node: others may lie between its runs. */
  const open = new Map<string, Group>();
  for (const item of decisions) {
    const place = `${item.decision.imageId} ${item.node?.name ?? ''}`;
    const group = open.get(place);
    if (group !== undefined && isAlike(group.newest.decision, item.decision)) {
      group.oldest = item;
      continue;
    }
    const started = { newest: item, oldest: item };
    open.set(place, started);
    groups.push(started);
  }
  return groups;
}

function isAlike(a: DecisionRecord, b: DecisionRecord): boolean {
  const isSame = a.ruling.reason.code === b.ruling.reason.code && imageName(imageOf(a)) === imageName(imageOf(b));
  return a.removal === null && b.removal === null && isSame;
}

function imageOf({ imageId, repoTags, repoDigests }: DecisionRecord): {
  id: string;
  repoTags: readonly string[];
  repoDigests: readonly string[];
} {
  return { id: imageId, repoTags, repoDigests };
}

const STATE_WORDS: Readonly<Record<RemovalState, string>> = { ...OUTCOME_WORDS, planned: 'planned', 'in-hand': 'in hand' };

function formatOutcome({ removal }: DecisionRecord): string {
  return removal === null ? 'kept' : STATE_WORDS[removal.state];
}

function formatFreed({ removal }: DecisionRecord): string {
  return removal?.state === 'removed' ? formatBytes(removal.reclaimedBytes) : '-';
}

function formatWhy({ ruling, removal }: DecisionRecord, mostFindings?: number): string {
  const why = formatReason(ruling, FIGURES, mostFindings);
  if (removal === null) return printable(why);
  const { state, message, keptBy } = removal;
  const after = message ?? (keptBy === null ? null : formatReason({ reason: keptBy }, FIGURES));
  return printable(after === null ? why : `${why}; ${STATE_WORDS[state]}: ${after}`);
}

function formatScanner({ scanner }: RunRecord): string {
  if (scanner === null) return 'none was needed';
  return `${scanner.name} ${scanner.version}${scanner.databaseUpdatedAt === null ? '' : `, database of ${scanner.databaseUpdatedAt}`}`;
}

function formatSeconds(ms: number): string {
  return `${formatTime(ms).slice(0, 19)}Z`;
}

function wholeSeconds(ms: number): number {
  return Math.ceil(Math.max(ms, 0) / 1000) * 1000;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
