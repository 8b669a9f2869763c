import type { Decision, RemoveDecision } from '../../src/api/decision.ts';
import type { NodeImage } from '../../src/api/inventory.ts';
import type { RunStart } from '../../src/api/run-record.ts';
import type { PlannedRun, RunEnding } from '../../src/store/history.ts';

/** The runtime of `runStart`. */
export const ENDPOINT = 'unix:///run/containerd/containerd.sock';

export const HOLDER = { pid: 4711, host: 'node-1', startedAt: Date.UTC(2026, 10, 1) };

export function runStart(fields: Partial<RunStart> = {}): RunStart {
  return {
    startedAt: Date.UTC(2026, 10, 1),
    mode: 'automatic',
    version: '1.2.3',
    pid: 4711,
    host: 'node-1',
    user: 'ada',
    runtimeEndpoint: ENDPOINT,
    command: ['clean', '--yes'],
    ...fields,
  };
}

export function removal(image: NodeImage, fields: Partial<RemoveDecision> = {}): RemoveDecision {
  return { outcome: 'remove', image, reason: { code: 'unused' }, estimatedBytes: 100, ...fields };
}

export function plan(...decisions: Decision[]): PlannedRun {
  return {
    runtime: { name: 'containerd', version: '2.2.3' },
    scanner: { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'files 1' },
    decisions,
    namesOf: ({ repoTags, repoDigests }) => [...repoTags, ...repoDigests],
  };
}

export function ending(fields: Partial<RunEnding> = {}): RunEnding {
  return {
    endedAt: Date.UTC(2026, 10, 1, 1),
    state: 'completed',
    message: null,
    summary: null,
    filesystem: null,
    reclaimedBytes: new Map(),
    ...fields,
  };
}
