import { afterEach, describe, expect, test, vi } from 'vitest';
import type * as Judge from '../../src/controller/image-job/judge-node.ts';
import type * as Cleanup from '../../src/controller/image-job/plan-cleanup.ts';
import type * as Records from '../../src/controller/image-job/put-on-record.ts';
import type * as Leases from '../../src/coordinator/scan-leases.ts';
import type * as Waves from '../../src/core/cluster/plan-waves.ts';
import type * as Summary from '../../src/core/cluster/summarise-job.ts';
import { explore, formatFound } from './explore.ts';
import { makeLeaseModel } from './leases/lease-model.ts';
import { ALL_LEASE_FAULTS, type LeaseBounds } from './leases/state.ts';
import { makeRunModel } from './run/run-model.ts';
import { ALL_FAULTS, type RunBounds } from './run/state.ts';

/** Larger ones are looked at by `npm run test:model`. */
const RUN: RunBounds = { nodes: 1, jobs: 1, maxParallel: 1, faults: 0, waits: 0, mayLag: false, may: ALL_FAULTS };
const LEASES: LeaseBounds = { nodes: 2, images: 1, faults: 0, waits: 0, may: ALL_LEASE_FAULTS };
const SMALL = { mostStates: 50_000 };
/** For a machine that has other work. */
const LONG = { timeout: 120_000 };

const SOURCES = '../../src';

/** What there is found, when these functions of a module of the product are others. */
async function foundWith<Module extends object>(
  path: string,
  broken: (real: Module) => Partial<Record<keyof Module, unknown>>,
  bounds: { readonly run: Partial<RunBounds> } | { readonly leases: Partial<LeaseBounds> },
): Promise<string> {
  vi.resetModules();
  vi.doMock(`${SOURCES}/${path}`, async (importReal) => {
    const real = await importReal<Module>();
    return { ...real, ...broken(real) };
  });
  const explored =
    'run' in bounds
      ? await explore((await import('./run/run-model.ts')).makeRunModel({ ...RUN, ...bounds.run }), SMALL)
      : await explore((await import('./leases/lease-model.ts')).makeLeaseModel({ ...LEASES, ...bounds.leases }), SMALL);
  vi.doUnmock(`${SOURCES}/${path}`);
  vi.resetModules();
  return explored.found === undefined ? 'nothing' : formatFound(explored.found);
}

afterEach(() => vi.resetModules());

describe('a run, whatever goes wrong', () => {
  test.each<[string, Partial<RunBounds>]>([
    ['on one node, one thing of any kind', { faults: 1 }],
    ['on two nodes, one after the other, which may be slow', { nodes: 2, waits: 1 }],
  ])('keeps what it promises, and ends: %s', LONG, async (_case, bounds) => {
    const { found, states, longest } = await explore(makeRunModel({ ...RUN, ...bounds }), SMALL);
    expect(found === undefined ? '' : formatFound(found)).toBe('');
    expect(states).toBeGreaterThan(1_000);
    expect(Object.keys(longest)).toEqual(['all goes well again', 'no kubelet answers any more']);
  });

  test('is not kept by waves that do not count who is in flight', LONG, async () => {
    const path = 'core/cluster/plan-waves.ts';
    const broken = ({ planWaves }: typeof Waves): Partial<typeof Waves> => ({
      planWaves: (input) => planWaves({ ...input, nodes: input.nodes.filter(({ progress }) => progress.kind === 'waiting') }),
    });
    expect(await foundWith(path, broken, { run: { nodes: 2 } })).toMatch(
      /^more nodes are in flight than may be:\n.*make eraser-n1[^\n]*$/s,
    );
  });

  test('is not kept by waves without deadlines', LONG, async () => {
    const broken = ({ planWaves }: typeof Waves): Partial<typeof Waves> => ({
      planWaves: (input) => ({ ...planWaves(input), timedOut: [] }),
    });
    const found = await foundWith('core/cluster/plan-waves.ts', broken, { run: {} });
    expect(found).toMatch(/^never ends where no kubelet answers any more:\n.*and so on$/s);
  });

  test('is not kept when pods are deleted before what came of them is written', LONG, async () => {
    const broken = (): Partial<typeof Records> => ({
      writeRecords: (_api, { run }) => {
        run.unwritten = { parts: new Set(), outcomes: 0, since: Infinity };
        return Promise.resolve();
      },
    });
    const found = await foundWith('controller/image-job/put-on-record.ts', broken, { run: { waits: 4 } });
    expect(found).toMatch(/^a pod is deleted before what came of its node is on record:\n.*delete eraser-n0[^\n]*$/s);
  });

  test('is not kept when results that were acknowledged do not count', LONG, async () => {
    const broken = ({ judgeNode }: typeof Judge): Partial<typeof Judge> => ({
      judgeNode: (input) => judgeNode({ ...input, reported: null }),
    });
    const found = await foundWith('controller/image-job/judge-node.ts', broken, { run: { faults: 1, may: ['deleted'] } });
    expect(found).toMatch(/^a result that was acknowledged is not on record:\n.*somebody deletes.*set the status of job-0$/s);
  });

  test('is not kept when the pods of other runs are not heeded', LONG, async () => {
    const broken = ({ judgeNode }: typeof Judge): Partial<typeof Judge> => ({
      judgeNode: (input) => judgeNode({ ...input, isOccupied: false }),
    });
    const found = await foundWith('controller/image-job/judge-node.ts', broken, { run: { jobs: 2 } });
    expect(found).toMatch(/^two pods are at work on n0 at once:\n.*make eraser-n0[^\n]*$/s);
  });

  test('is not kept when a job goes before its end is on record', LONG, async () => {
    const broken = ({ planCleanup }: typeof Cleanup): Partial<typeof Cleanup> => ({
      planCleanup: (input) => planCleanup({ ...input, isAwaited: false }),
    });
    expect(await foundWith('controller/image-job/plan-cleanup.ts', broken, { run: {} })).toMatch(
      /^a job is deleted before its end is on record:/,
    );
  });

  test('is not kept when a node counts twice', LONG, async () => {
    const broken = ({ summariseJob }: typeof Summary): Partial<typeof Summary> => ({
      summariseJob: (input) => summariseJob({ ...input, outcomes: [...input.outcomes, ...input.outcomes] }),
    });
    expect(await foundWith('core/cluster/summarise-job.ts', broken, { run: {} })).toMatch(/^(the totals of a run|a run has other nodes)/);
  });
});

describe('leases of images, whatever goes wrong', () => {
  test.each<[string, Partial<LeaseBounds>]>([
    ['on one node, one thing of any kind', { nodes: 1, faults: 1 }],
    ['on two nodes, of which one finds the image taken', {}],
    ['on two nodes, one of which is lost', { faults: 1, may: ['node-dies'] }],
  ])('keep what they promise, and every node has a result of every image: %s', LONG, async (_case, bounds) => {
    const { found, longest } = await explore(makeLeaseModel({ ...LEASES, ...bounds }), SMALL);
    expect(found === undefined ? '' : formatFound(found)).toBe('');
    expect(Object.keys(longest)).toEqual(['all goes well again', 'time passes whenever it can']);
  });

  const path = 'coordinator/scan-leases.ts';

  test('do not when another takes what one has', LONG, async () => {
    const broken = ({ ScanLeases }: typeof Leases): Partial<typeof Leases> => ({
      ScanLeases: class extends ScanLeases {
        override isElsewhere(): boolean {
          return false;
        }
      },
    });
    expect(await foundWith(path, broken, { leases: {} })).toMatch(/^an image is leased to a node while another has it:/);
  });

  test('do not when everyone is believed to hold one', LONG, async () => {
    const broken = ({ ScanLeases }: typeof Leases): Partial<typeof Leases> => ({
      ScanLeases: class extends ScanLeases {
        override renew(): void {
          // Nothing is held by it.
        }
        override take(_worker: unknown, images: readonly string[], most: number): string[] {
          return images.slice(0, most);
        }
        override isHeldBy(): boolean {
          return true;
        }
      },
    });
    expect(await foundWith(path, broken, { leases: {} })).not.toBe('nothing');
  });

  test('do not when they never run out', LONG, async () => {
    const broken = ({ ScanLeases }: typeof Leases): Partial<typeof Leases> => ({
      ScanLeases: class extends ScanLeases {
        constructor() {
          super({ now: () => 0, sleep: () => Promise.resolve() });
        }
      },
    });
    const found = await foundWith(path, broken, { leases: { faults: 1, may: ['node-dies'] } });
    expect(found).toMatch(/^never ends where all goes well again:/);
  });
});
