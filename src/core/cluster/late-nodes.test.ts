import { describe, expect, test } from 'vitest';
import { parseClusterNode, type ClusterNode } from '../../api/cluster-node.ts';
import { planLateLook, recordLateRun, selectLateNodes, type DatedNode, type LateLookInput, type LateState } from './late-nodes.ts';
import { parseNodeFilter } from './node-filter.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-11-22T12:00:00Z');
const LATE: LateState = { run: 'imagejob-1', startedAt: NOW - HOUR, endedAt: NOW - 30 * MINUTE, away: ['away', 'still'], had: [] };
const at = (hour: number): LateLookInput['window'] => ({
  opens: { kind: 'cron', expression: `0 ${String(hour)} * * *`, timeZone: 'UTC' },
  lengthMs: HOUR,
});

describe('planLateLook', () => {
  test.each<[string, Partial<LateLookInput>, object]>([
    ['looks at once, and then every five minutes', {}, { kind: 'look', lookAgainAt: NOW + 5 * MINUTE }],
    ['looks more often where the time is short', { withinMs: 40 * MINUTE }, { kind: 'look', lookAgainAt: NOW + 4 * MINUTE }],
    ['waits until it is time for another look', { lookedAt: NOW - 4 * MINUTE }, { kind: 'wait', lookAgainAt: NOW + MINUTE }],
    ['looks again when it is', { lookedAt: NOW - 5 * MINUTE }, { kind: 'look' }],
    ['looks at once when the clock was set back', { lookedAt: NOW + HOUR }, { kind: 'look' }],
    ['is over when the time is', { withinMs: 30 * MINUTE }, { kind: 'over' }],
    ['is over when no node is to be cleaned late any more', { withinMs: 0 }, { kind: 'over' }],
    ['is over when the end of the run is far ahead: the clock was wrong', { late: { ...LATE, endedAt: NOW + 5 * HOUR } }, { kind: 'over' }],
    ['looks while the maintenance window is open', { window: at(12) }, { kind: 'look' }],
    ['waits for the window to open', { window: at(13) }, { kind: 'wait', lookAgainAt: NOW + HOUR }],
    ['is over when it opens too late', { window: at(14) }, { kind: 'over' }],
  ])('%s', (_case, fields, expected) => {
    expect(planLateLook({ late: LATE, withinMs: 2 * HOUR, window: null, lookedAt: null, now: NOW, ...fields })).toMatchObject(expected);
  });
});

describe('selectLateNodes', () => {
  const filter = parseNodeFilter({ type: 'exclude', selectors: [] });
  const dated = (name: string, fields: Partial<ClusterNode> = {}, createdAt: number | null = NOW - 10 * HOUR): DatedNode => {
    const status = {
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { containerRuntimeVersion: 'containerd://2.0', operatingSystem: 'linux' },
    };
    const parsed = parseClusterNode({ metadata: { name, labels: {} }, status });
    if (!parsed.ok) throw new Error('no node');
    return { node: { ...parsed.value, ...fields }, createdAt };
  };
  const notReady = { status: 'Unknown', reason: '', message: '' };
  const select = (nodes: readonly DatedNode[], late = LATE): string[] => {
    if (!filter.ok) throw new Error('no filter');
    return selectLateNodes(late, nodes, filter.value);
  };

  test.each<[string, DatedNode, string[]]>([
    ['one that was away and is ready', dated('away'), ['away']],
    ['none that is still away', dated('away', { ready: notReady }), []],
    ['none that the run has been on', dated('there'), []],
    ['one that joined after the run began', dated('new', {}, NOW - HOUR + 1_000), ['new']],
    ['none that joined before', dated('new', {}, NOW - HOUR), []],
    ['none of which that is not known', dated('new', {}, null), []],
    ['none that the filter leaves out', dated('new', { labels: { 'eraser.sh/cleanup.filter': '' } }, NOW), []],
    ['none that runs Windows', dated('away', { operatingSystem: 'windows' }), []],
  ])('%s', (_case, node, expected) => {
    expect(select([node])).toEqual(expected);
  });

  test('none that had its run', () => {
    const late = recordLateRun(LATE, ['away', 'new']);
    expect(select([dated('away'), dated('new', {}, NOW), dated('still')], late)).toEqual(['still']);
  });

  test('no more than can be kept of one run', () => {
    const many = Array.from({ length: 600 }, (_, number) => dated(`n${String(number).padStart(3, '0')}`, {}, NOW));
    const first = select(many);
    expect(first).toHaveLength(500);
    expect(select(many, recordLateRun(LATE, first))).toEqual([]);
  });
});
