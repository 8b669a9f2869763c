import type { NodeRecord, RunNode } from './node-records.ts';

/** More nodes of a run have failed than may: it begins with no others. */
export interface RunStop {
  readonly failed: number;
  /** That were to take part. */
  readonly nodes: number;
  readonly maxFailed: number;
}

/** By what is on record; null: the run goes on, or went over all nodes. */
export function findStop(nodes: readonly RunNode[], maxFailed: number): RunStop | null {
  const participating = nodes.filter((node) => node.participating !== null);
  const onRecord = participating.filter(({ record }) => record.kind === 'failed').length;
  // What others were not started for is there before it is on record: containers have a minute after one of them has failed.
  const failed = Math.max(onRecord, ...participating.map(({ record }) => failedBefore(record)));
  return failed > maxFailed ? { failed, nodes: participating.length, maxFailed } : null;
}

function failedBefore(record: NodeRecord): number {
  return record.kind === 'skipped' && record.reason.code === 'not-started' ? record.reason.failed : 0;
}

export function describeStop({ failed, nodes, maxFailed }: RunStop): string {
  return `${failed} of ${nodes} nodes failed, more than manager.imageJob.maxFailed allows (${maxFailed}): no others are begun with.`;
}
