import { describe, expect, test } from 'vitest';
import { acceptInTest } from '../../../test/fakes/cluster.ts';
import type { EventFacts } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { NEW_STATE, type ManagerState } from '../state/manager-state.ts';
import { Inputs } from './inputs.ts';
import { judgeExclusions } from './judge-exclusions.ts';
import { ConfigurationReconciler } from './reconcile-configuration.ts';

const configMap = (name: string, data: Readonly<Record<string, string>>): RawObject => ({ metadata: { name, uid: `uid-${name}` }, data });
const exclusions = (name: string, text: string): RawObject => configMap(name, { 'a.json': text });
const configuration = (text: string): RawObject => configMap('eraser-manager-config', { 'controller_manager_config.yaml': text });
const header = 'apiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\n';
const withInterval = (interval: string): string => `${header}manager: {scheduling: {repeatInterval: ${interval}}}`;

/** A reconciler as of a process that has just been started, with what was stored before. */
function startWith(stored: Partial<ManagerState> = {}, mountedText: string | null = null) {
  const inputs = new Inputs();
  const events: EventFacts[] = [];
  const maps = { configuration: [] as RawObject[], exclusions: [] as RawObject[] };
  let state: ManagerState = { ...NEW_STATE, ...stored };
  const applied: RawObject[] = [];
  const enqueued: [string, number | undefined][] = [];
  let now = 0;
  const reconciler = new ConfigurationReconciler({
    api: {
      apply: (object) => {
        applied.push(object);
        return Promise.resolve(object);
      },
    },
    enqueue: (key, afterMs) => enqueued.push([key, afterMs]),
    copies: { configuration: { values: () => maps.configuration }, exclusions: { values: () => maps.exclusions } },
    inputs,
    state: {
      read: () => Promise.resolve(state),
      write: (next) => {
        state = next;
        return Promise.resolve();
      },
    },
    acceptConfiguration: acceptInTest,
    namespace: 'eraser-system',
    mountedText,
    recordEvent: (event) => events.push(event),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    now: () => now,
    onChange: () => undefined,
  });
  const look = async (change: Partial<typeof maps>): Promise<void> => {
    Object.assign(maps, change);
    await reconciler.reconcile(new AbortController().signal);
  };
  const interval = (): number | undefined => inputs.configuration?.config.manager.scheduling.repeatInterval;
  const warnings = (): EventFacts[] => events.filter(({ type }) => type === 'Warning');
  const pass = (ms: number): void => {
    now += ms;
  };
  return { inputs, warnings, look, pass, interval, applied, enqueued, state: () => state };
}

describe('judgeExclusions', () => {
  test('reads the lists of all configmaps, in order of their names', () => {
    const judged = judgeExclusions([exclusions('b', '{"excluded": ["nginx"]}'), exclusions('a', '{"excluded": []}')]);
    expect(judged).toEqual({
      ok: true,
      lists: [
        { name: 'a/a.json', entries: [] },
        { name: 'b/a.json', entries: ['nginx'] },
      ],
    });
  });

  test.each<[string, string, string]>([
    ['no JSON', '{"excluded": [', 'is not JSON'],
    ['an entry that is no pattern', '{"excluded": ["nginx", "a b"]}', '"a b"'],
    ['another key', '{"exclude": []}', ''],
  ])('refuses all for one that has %s', (_name, text, message) => {
    const judged = judgeExclusions([exclusions('good', '{"excluded": ["nginx"]}'), exclusions('bad', text)]);
    expect(judged).toMatchObject({ ok: false, faults: [{ configMap: { metadata: { name: 'bad' } } }] });
    expect(JSON.stringify(judged)).toContain(JSON.stringify(message).slice(1, -1));
  });
});

describe("the system's exclusion list", () => {
  const system = (...entries: string[]): RawObject =>
    configMap('eraser-system-exclusion', { 'a.json': JSON.stringify({ excluded: entries }) });

  test('is taken over as it is first seen, and put back when it is changed: at once, and not more often than every minute', async () => {
    const first = startWith();
    await first.look({ configuration: [configuration(header)], exclusions: [system('mcr.microsoft.com/*')] });
    expect(first.state().systemExclusion).toEqual({ 'a.json': '{"excluded":["mcr.microsoft.com/*"]}' });
    expect(first.applied).toEqual([]);

    const later = startWith(first.state());
    await later.look({ configuration: [configuration(header)], exclusions: [system('nginx')] });
    expect(later.applied).toMatchObject([
      {
        metadata: { name: 'eraser-system-exclusion', namespace: 'eraser-system', labels: { 'eraser.sh/exclude.list': 'true' } },
        data: { 'a.json': '{"excluded":["mcr.microsoft.com/*"]}' },
      },
    ]);
    expect(later.warnings()).toMatchObject([{ reason: 'SystemExclusionPutBack', regarding: { name: 'eraser-system-exclusion' } }]);
    expect(later.inputs.gate).toMatchObject({
      kind: 'open',
      inputs: { exclusions: [{ entries: ['nginx'] }, { entries: ['mcr.microsoft.com/*'] }] },
    });
    later.pass(10_000);
    await later.look({ exclusions: [] });
    expect(later.applied).toHaveLength(1);
    expect(later.enqueued).toEqual([['configuration', 50_000]]);
    expect(later.inputs.gate).toMatchObject({ kind: 'open', inputs: { exclusions: [{ entries: ['mcr.microsoft.com/*'] }] } });
    later.pass(50_000);
    await later.look({});
    expect(later.applied).toHaveLength(2);
  });
});

describe('what runs begin with', () => {
  test('is open once configuration and exclusions have been read', async () => {
    const { inputs, look } = startWith();
    expect(inputs.gate).toMatchObject({ kind: 'closed', reason: 'ConfigurationUnreadable' });
    await look({ configuration: [configuration(header)] });
    expect(inputs.gate).toMatchObject({ kind: 'open', inputs: { exclusions: [] } });
  });

  test('is closed by one exclusion list that cannot be read, and open again when it can', async () => {
    const { inputs, look, warnings, state } = startWith();
    await look({ configuration: [configuration(header)], exclusions: [exclusions('mine', '{')] });
    expect(inputs.gate).toMatchObject({
      kind: 'closed',
      reason: 'ExclusionsUnreadable',
      message: expect.stringContaining('mine/a.json') as string,
    });
    expect(warnings()).toMatchObject([
      {
        reason: 'ExclusionsUnreadable',
        type: 'Warning',
        regarding: { kind: 'ConfigMap', name: 'mine', uid: 'uid-mine', namespace: 'eraser-system' },
      },
    ]);
    expect(state().conditions).toMatchObject([
      { type: 'ConfigurationAccepted', status: 'True' },
      { type: 'ExclusionsAccepted', status: 'False' },
    ]);
    await look({ exclusions: [exclusions('mine', '{"excluded": []}')] });
    expect(inputs.gate.kind).toBe('open');
  });

  test('keeps the last good configuration, also over a restart', async () => {
    const first = startWith();
    await first.look({ configuration: [configuration(withInterval('3h'))] });
    await first.look({ configuration: [configuration(withInterval('often'))] });
    expect(first.interval()).toBe(3 * 3_600_000);
    expect(first.warnings()).toMatchObject([
      { reason: 'ConfigurationUnreadable', note: expect.stringContaining('manager.scheduling.repeatInterval') as string },
    ]);
    const second = startWith(first.state());
    await second.look({ configuration: [configuration(withInterval('often'))] });
    expect(second.interval()).toBe(3 * 3_600_000);
    await second.look({ configuration: [configuration(withInterval('4h'))] });
    expect(second.interval()).toBe(4 * 3_600_000);
  });

  test('a request for a run is no other configuration: it tells nothing again', async () => {
    const { inputs, look, warnings } = startWith();
    const asked = (token: string, text: string): RawObject => {
      const map = configuration(text);
      return { ...map, metadata: { ...map.metadata, resourceVersion: token, annotations: { 'eraser.sh/run-requested': token } } };
    };
    await look({ configuration: [configuration(withInterval('often'))] });
    expect(inputs.runRequest).toBeNull();
    await look({ configuration: [asked('1', withInterval('often'))] });
    await look({ configuration: [asked('2', withInterval('often'))] });
    expect(inputs.runRequest).toBe('2');
    expect(warnings()).toHaveLength(1);
    await look({ configuration: [asked('2', withInterval('seldom'))] });
    expect(warnings()).toHaveLength(2);
  });

  test('is the mounted file where there is no configmap, and nothing where there is neither', async () => {
    const mounted = startWith({}, withInterval('5h'));
    await mounted.look({});
    expect(mounted.interval()).toBe(5 * 3_600_000);
    const neither = startWith();
    await neither.look({});
    expect(neither.inputs.gate).toMatchObject({
      kind: 'closed',
      message: expect.stringContaining('there is no configmap eraser-manager-config') as string,
    });
  });
});
