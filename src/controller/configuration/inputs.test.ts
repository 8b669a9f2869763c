import { describe, expect, test } from 'vitest';
import { OWN_CONTAINERS } from '../../../test/fakes/cluster.ts';
import { parseDuration } from '../../platform/duration.ts';
import { parseYaml } from '../../platform/parse-yaml.ts';
import { parseQuantity } from '../../platform/quantity.ts';
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
  const reconciler = new ConfigurationReconciler({
    copies: { configuration: { values: () => maps.configuration }, exclusions: { values: () => maps.exclusions } },
    inputs,
    state: {
      read: () => Promise.resolve(state),
      write: (next) => {
        state = next;
        return Promise.resolve();
      },
    },
    parsers: { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml },
    own: OWN_CONTAINERS,
    namespace: 'eraser-system',
    mountedText,
    recordEvent: (event) => events.push(event),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    now: () => 0,
    onChange: () => undefined,
  });
  const look = async (change: Partial<typeof maps>): Promise<void> => {
    Object.assign(maps, change);
    await reconciler.reconcile(new AbortController().signal);
  };
  const interval = (): number | undefined => inputs.configuration?.config.manager.scheduling.repeatInterval;
  const warnings = (): EventFacts[] => events.filter(({ type }) => type === 'Warning');
  return { inputs, warnings, look, interval, state: () => state };
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
