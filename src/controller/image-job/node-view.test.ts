import { describe, expect, test } from 'vitest';
import { nodeObject } from '../../../test/fakes/manager-in-fake-cluster.ts';
import { parseNodeFilter } from '../../core/cluster/node-filter.ts';
import type { RawObject } from '../raw-object.ts';
import { judgeTurn } from './look-at-nodes.ts';
import { NodeView, type SeenNode } from './node-view.ts';

const { signal } = new AbortController();
const named = (count: number): string[] => Array.from({ length: count }, (_, at) => `n${String(at)}`);

/** A view of an API server with these nodes, and what is asked of it. */
function viewOf(names: readonly string[]) {
  const nodes = new Map<string, RawObject>(names.map((name) => [name, nodeObject(name)]));
  const asked: string[] = [];
  let now = 0;
  const view = new NodeView({
    api: {
      find: (_kind, name) => {
        asked.push(name);
        return Promise.resolve(nodes.get(name) ?? null);
      },
      list: (_kind, { trim }) => {
        asked.push('all');
        return Promise.resolve([...nodes.values()].map(trim));
      },
    },
    monotonicNow: () => now,
  });
  const look = async (wanted: readonly string[], oldestMs = 30_000): Promise<Record<string, SeenNode['kind']>> => {
    const seen = await view.look(wanted, oldestMs, signal);
    return Object.fromEntries([...seen].map(([name, { kind }]) => [name, kind]));
  };
  return {
    view,
    look,
    nodes,
    pass: (ms: number): void => {
      now += ms;
    },
    asked: (): string[] => asked.splice(0),
  };
}

describe('NodeView', () => {
  test('asks for nothing that a list of a moment ago has said', async () => {
    const { view, look, pass, asked } = viewOf(named(3));
    await view.list(signal);
    asked();
    pass(30_000);
    expect(await look(['n0', 'n2', 'gone'])).toEqual({ n0: 'there', n2: 'there', gone: 'gone' });
    expect(asked()).toEqual([]);
  });

  test.each([
    [3, 1, 'all'],
    [1_200, 2, 'by name'],
    [1_200, 3, 'all'],
  ])('of %d nodes that were seen too long ago, %d are asked for: %s', async (count, wanted, how) => {
    const { view, look, pass, asked } = viewOf(named(count));
    await view.list(signal);
    asked();
    pass(30_001);
    await look(named(wanted));
    expect(asked()).toEqual(how === 'all' ? ['all'] : named(wanted));
    // That is remembered.
    await look(named(wanted));
    expect(asked()).toEqual([]);
  });

  test('asks again, so that it sees a node that has gone or has become unreadable', async () => {
    const { view, look, nodes, pass, asked } = viewOf(named(2));
    await view.list(signal);
    nodes.delete('n0');
    nodes.set('n1', { metadata: { name: 'n1' }, status: 'odd' });
    pass(30_001);
    asked();
    expect(await look(['n0', 'n1'])).toEqual({ n0: 'gone', n1: 'unreadable' });
  });

  test('knows nothing of what it was told to forget', async () => {
    const { view, look, asked } = viewOf(named(2));
    await view.list(signal);
    view.forget();
    asked();
    expect(await look(['n0'])).toEqual({ n0: 'there' });
    expect(asked()).not.toEqual([]);
  });
});

describe('at its turn a node', () => {
  const filter = parseNodeFilter({ type: 'exclude', selectors: ['pool=gpu'] });
  if (!filter.ok) throw new Error('no filter');
  const turn = async (raw: RawObject | null): Promise<object> => {
    const { view, nodes } = viewOf([]);
    if (raw !== null) nodes.set('n0', raw);
    const seen = (await view.look(['n0'], 0, signal)).get('n0');
    return judgeTurn(seen ?? { kind: 'gone' }, filter.value);
  };

  test.each<[string, RawObject | null, object]>([
    ['that is ready takes part', nodeObject('n0'), { kind: 'takes-part', node: { name: 'n0', runtime: 'containerd' } }],
    ['that is gone is skipped', null, { kind: 'skipped', reason: { code: 'being-deleted' } }],
    ['that is not ready is skipped', nodeObject('n0', { ready: false }), { kind: 'skipped', reason: { code: 'not-ready' } }],
    [
      'that was labelled meanwhile, to be left alone, is skipped',
      nodeObject('n0', { labels: { 'eraser.sh/cleanup.filter': '' } }),
      { kind: 'skipped', reason: { code: 'filtered' } },
    ],
    ['that the filter excludes now is skipped', nodeObject('n0', { labels: { pool: 'gpu' } }), { kind: 'skipped' }],
    [
      'that cannot be read says why',
      { metadata: { name: 'n0' }, status: 1 },
      { kind: 'unreadable', message: expect.stringContaining('status') as string },
    ],
  ])('%s', async (_case, raw, expected) => {
    expect(await turn(raw)).toMatchObject(expected);
  });
});
