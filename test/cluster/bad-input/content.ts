import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFailed, test, vi } from 'vitest';
import * as z from 'zod';
import { corePath } from '../../../lab/api-reader.ts';
import type { Condition } from '../../../src/api/condition.ts';
import type { KubeClient } from '../../../src/kube/kube-client.ts';
import { CONFIG_MAPS, PODS } from '../../../src/kube/resource.ts';
import type { ControllerProcess } from '../controller-process.ts';
import { connectClient } from '../connect-gated.ts';
import { CONFIG, openSite, SOON, type OpenSite } from '../manager-in-test.ts';
import { openPaperNodes, type OpenPaperNodes } from '../nodes-in-test.ts';
import { workerReference } from '../worker-in-test.ts';

const MiB = 1024 * 1024;
const CONFIG_MAP = 'eraser-manager-config';
const KEY = 'controller_manager_config.yaml';
const EXCLUSION = { 'eraser.sh/exclude.list': 'true' };
/** By which a pod tells the configuration that it was made by. */
const GOOD = { ...CONFIG, manager: { ...CONFIG.manager, additionalPodLabels: { team: 'good' } } };
const excluding = (...excluded: readonly string[]): string => JSON.stringify({ excluded });
const numbered = (count: number, name: string): string[] => Array.from({ length: count }, (_, at) => `${name}-${String(at)}:1`);

const configMapsSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string() }), data: z.record(z.string(), z.string()) })),
});
const podSchema = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()) }),
  spec: z.object({ volumes: z.array(z.object({ name: z.string() })) }),
});

/** One node on paper, whose pods end at once, and one manager: each test begins and ends with nothing bad there. */
export const describeContent = (kubeconfig: () => string): unknown =>
  describe('configuration, exclusions and lists', () => {
    let site: OpenSite;
    let nodes: OpenPaperNodes;
    let manager: ControllerProcess;
    let client: KubeClient;
    let watching: Promise<void>;
    const stop = new AbortController();
    const pods: z.output<typeof podSchema>[] = [];
    let runs = 0;

    beforeAll(async () => {
      site = await openSite(kubeconfig(), workerReference('paper'));
      nodes = await openPaperNodes(kubeconfig(), [{ name: 'paper-bad-input' }]);
      nodes.endPodsAfter(site.namespace, 20);
      client = await connectClient(kubeconfig());
      watching = collectPods();
      manager = site.start(['--job-history-limit=1000']);
    });
    afterAll(async () => {
      stop.abort();
      await watching;
      await client.close();
      await site.close();
      await nodes.close();
    });
    beforeEach(() => {
      onTestFailed(() => void process.stderr.write(site.logs().slice(-20_000)));
    });

    /** Also what is larger than kubectl's own annotation of it may be. */
    const put = (name: string, parts: object, labels: object = {}): Promise<string> =>
      site.done(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: site.namespace, labels },
        ...parts,
      });
    const exclude = (name: string, data: Readonly<Record<string, string>>): Promise<string> => put(name, { data }, EXCLUSION);
    const remove = (name: string): Promise<string> => site.done(['delete', 'configmap', '-n', site.namespace, name]);
    const configure = (text: string): Promise<string> => put(CONFIG_MAP, { data: { [KEY]: text } });

    const conditionOf = async (type: string): Promise<Condition | undefined> =>
      (await site.conditions()).find((condition) => condition.type === type);

    /** Condition, Event and log line all say it. */
    async function untilTold(type: string, { about, says }: { readonly about: string; readonly says: string }): Promise<void> {
      const reason = type.replace('Accepted', 'Unreadable');
      await vi.waitFor(
        async () =>
          expect(await conditionOf(type)).toMatchObject({ status: 'False', reason, message: expect.stringContaining(says) as string }),
        SOON,
      );
      const notes = async (): Promise<string[]> =>
        (await site.events()).filter((event) => event.about === about && event.reason === reason).map(({ note }) => note);
      await vi.waitFor(async () => expect((await notes()).join('\n')).toContain(says), SOON);
      expect(manager.logs.filter(({ level }) => level === 'warn').map(({ why }) => why)).toContainEqual(expect.stringContaining(says));
    }

    const untilAccepted = (type: string): Promise<void> =>
      vi.waitFor(async () => expect(await conditionOf(type)).toMatchObject({ status: 'True' }), SOON);

    /** Another version of the list, with these entries. */
    async function applyList(images: readonly string[]): Promise<void> {
      runs += 1;
      const list = {
        apiVersion: 'eraser.sh/v1',
        kind: 'ImageList',
        metadata: { name: 'imagelist' },
        spec: { images: [`run:${String(runs)}`, ...images] },
      };
      await site.done(['apply', '--server-side', '--force-conflicts', '-f', '-'], list);
    }

    /** The run of the list as it is now has been completed, and no other has been begun. */
    async function untilRun(): Promise<void> {
      await vi.waitFor(async () => {
        const { status, metadata } = await site.list();
        expect(status).toMatchObject({ observedGeneration: metadata.generation, success: 1, failed: 0 });
        expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
      }, SOON);
      expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(Array<string>(runs).fill('Completed'));
    }

    /** Of the latest run. */
    async function frozen(what: string): Promise<string[]> {
      const uid = (await site.jobs())
        .sort(
          (a, b) =>
            a.metadata.generation - b.metadata.generation || a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp),
        )
        .at(-1)?.metadata.uid;
      const selector = `eraser.sh/frozen=${what},eraser.sh/job-uid=${uid ?? ''}`;
      const { items } = await site.read(configMapsSchema, corePath(site.namespace, 'configmaps', selector));
      return items.flatMap(({ data }) => Object.values(data));
    }

    /** Every pod that was ever made, in order: they are gone with their run. */
    async function collectPods(): Promise<void> {
      const options = { resourceVersion: '0', timeoutSeconds: 3_600, inactivityMs: 3_600_000, labelSelector: 'eraser.sh/job-uid' };
      try {
        for await (const event of client.watch({ resource: PODS, namespace: site.namespace }, options, stop.signal)) {
          if (event.type === 'added') pods.push(podSchema.parse(event.object));
        }
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    }

    const mountedByLatest = (volume: string): number =>
      pods.at(-1)?.spec.volumes.filter(({ name }) => name.replace(/-\d+$/, '') === volume).length ?? 0;

    test('no configuration at all: a list waits, and is told for what; it is worked off once there is one', async () => {
      await applyList([]);
      const says = `there is no configmap ${CONFIG_MAP} in the namespace ${site.namespace}; an EraserConfig is needed under the key ${KEY}`;
      await untilTold('ConfigurationAccepted', { about: `ConfigMap/${CONFIG_MAP}`, says });
      await vi.waitFor(
        async () =>
          expect((await site.list()).status?.conditions).toContainEqual(
            expect.objectContaining({
              type: 'Stalled',
              reason: 'ConfigurationUnreadable',
              message: expect.stringContaining(says) as string,
            }),
          ),
        SOON,
      );
      expect(await site.jobs()).toEqual([]);
      await configure(JSON.stringify(GOOD));
      await untilRun();
    });

    describe('a configuration that cannot be used is told, and the last good one stays in force', () => {
      const bad = (manager: object, components: object = {}): string =>
        JSON.stringify({
          ...GOOD,
          manager: { ...GOOD.manager, additionalPodLabels: { team: 'bad' }, ...manager },
          components: { ...GOOD.components, ...components },
        });
      const manySecrets = bad({ pullSecrets: numbered(10_000, 'secret') });
      const cases: readonly (readonly [what: string, text: string, says: string])[] = [
        [
          'a value of another type',
          bad({ scheduling: { beginImmediately: 'no' } }),
          'manager.scheduling.beginImmediately: "no" is not true or false',
        ],
        ['an unknown key', bad({ schedulling: {} }), 'manager.schedulling: unknown; did you mean scheduling?'],
        ['a value out of range', bad({ imageJob: { successRatio: 75 } }), 'manager.imageJob.successRatio: 75 is not a number from 0 to 1'],
        ['an empty value', bad({ scheduling: { cron: '' } }), 'manager.scheduling.cron: is empty'],
        ['no cron expression', bad({ scheduling: { cron: 'sometimes' } }), 'manager.scheduling.cron: '],
        ['no node selector', bad({ nodeFilter: { selectors: ['a b'] } }), 'manager.nodeFilter.selectors[0]: '],
        [
          "a fault in the scanner's part",
          bad({}, { scanner: { enabled: true, config: 'vulnerabilities: {severities: []}' } }),
          'components.scanner.config.vulnerabilities.severities: is empty; name one or more of CRITICAL, HIGH, MEDIUM, LOW',
        ],
        [
          'a label that no pod may have',
          bad({ additionalPodLabels: { team: 'a b' } }),
          'manager.additionalPodLabels.team: "a b" is no value of a label',
        ],
        ['no YAML', '{"apiVersion": ', 'not YAML'],
        [
          'a version that is not known',
          JSON.stringify({ ...GOOD, apiVersion: 'eraser.sh/v9' }),
          'apiVersion: "eraser.sh/v9" is not one of eraser.sh/v1alpha1,',
        ],
        ['nothing', '', 'empty'],
        ['10,000 entries', manySecrets, 'more YAML than a configuration can be (20000 tokens)'],
        ['nearly a mebibyte', `${JSON.stringify(GOOD)}\n# ${'x'.repeat(MiB - 10_000)}`, `${KEY}: is `],
      ];
      afterAll(async () => {
        await configure(JSON.stringify(GOOD));
        await untilAccepted('ConfigurationAccepted');
      });

      test.each(cases)('%s', async (_what, text, says) => {
        await configure(text);
        await untilTold('ConfigurationAccepted', { about: `ConfigMap/${CONFIG_MAP}`, says });
      });

      test('another key', async () => {
        await site.done(['replace', '-f', '-'], {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: CONFIG_MAP, namespace: site.namespace },
          data: { config: '' },
        });
        await untilTold('ConfigurationAccepted', { about: `ConfigMap/${CONFIG_MAP}`, says: `the configmap has no key ${KEY}` });
      });

      test('it is deleted', async () => {
        await remove(CONFIG_MAP);
        await untilTold('ConfigurationAccepted', {
          about: `ConfigMap/${CONFIG_MAP}`,
          says: `there is no configmap ${CONFIG_MAP} in the namespace`,
        });
      });

      test('none of them has begun a run; one that is asked for goes by the last good one', async () => {
        expect(await site.jobs()).toHaveLength(runs);
        await applyList([]);
        await untilRun();
        expect(new Set(pods.map(({ metadata }) => metadata.labels['team']))).toEqual(new Set(['good']));
        expect(pods).toHaveLength(runs);
      });
    });

    describe('an exclusion list that cannot be used: nothing is removed until it can', () => {
      const text = (name: string, data: object): [string, object] => [name, { data }];
      const cases: readonly (readonly [what: string, configMap: [string, object], says: string])[] = [
        ['no JSON', text('a', { 'x.json': '{"excluded": ["nginx"' }), 'a/x.json: is not JSON: '],
        [
          'of another shape',
          text('c', { 'x.json': '["nginx"]' }),
          'c/x.json: Invalid input: expected object, received array; expected is {"excluded": ["ghcr.io/acme/*"]}',
        ],
        [
          'with a number among 10,000 entries',
          text('f', { 'x.json': JSON.stringify({ excluded: [...numbered(9_999, 'app'), 1] }) }),
          'f/x.json: excluded[9999]: ',
        ],
        [
          'with an entry of nearly a mebibyte',
          text('i', { 'x.json': excluding('a'.repeat(MiB - 1_000)) }),
          'characters long: at most 1024',
        ],
        [
          'with 10,000 entries that are no patterns',
          text('j', { 'x.json': excluding(...Array<string>(10_000).fill('a b')) }),
          'j/x.json: "a b": the repository',
        ],
        ['without a key that ends in .json', text('k', { 'x.yaml': 'excluded: [nginx]' }), 'k: has no key that ends in .json'],
        ['that is no text', ['l', { binaryData: { 'x.json': 'gA==' } }], 'l/x.json: is not UTF-8 text'],
      ];

      // Also of one that failed, so that no other does for it.
      afterEach(async () => {
        await site.done(['delete', 'configmaps', '-n', site.namespace, '-l', 'eraser.sh/exclude.list=true']);
        await untilAccepted('ExclusionsAccepted');
      });

      test.each(cases)('%s', async (_what, [name, parts], says) => {
        await exclude('good', { 'x.json': excluding('redis') });
        await put(name, parts, EXCLUSION);
        await untilTold('ExclusionsAccepted', { about: `ConfigMap/${name}`, says });
        const begun = (await site.jobs()).length;
        await applyList([]);
        await vi.waitFor(async () => {
          const { status, metadata } = await site.list();
          expect(status?.observedGeneration).toBe(metadata.generation);
          expect(status?.conditions).toContainEqual(
            expect.objectContaining({
              type: 'Stalled',
              status: 'True',
              reason: 'ExclusionsUnreadable',
              message: expect.stringContaining(says) as string,
            }),
          );
        }, SOON);
        expect(await site.jobs()).toHaveLength(begun);
        await remove(name);
        await untilRun();
      });
    });

    describe('what is large is no fault', () => {
      const names: string[] = [];
      const excludeFor = async (name: string, list: string): Promise<void> => {
        names.push(name);
        await exclude(name, { 'x.json': list });
      };
      /** A list of exactly so many bytes. */
      const listOf = (bytes: number, name: string): string => {
        const entries = Array.from({ length: 10_000 }, (_, at) => `registry.example/${name}/${String(at).padStart(64, 'x')}`);
        const spare = bytes - Buffer.byteLength(excluding(...entries));
        return `${excluding(...entries)}${' '.repeat(spare)}`;
      };
      afterEach(async () => {
        await Promise.all(names.splice(0).map(remove));
        await untilAccepted('ExclusionsAccepted');
      });
      const entriesOf = (parts: readonly string[]): string[] =>
        parts.flatMap((part) => (JSON.parse(part) as { lists: { entries: string[] }[] }).lists.flatMap(({ entries }) => entries));

      const missingOf = (parts: readonly string[], entries: readonly string[]): string[] => {
        const found = new Set(entriesOf(parts));
        return entries.filter((entry) => !found.has(entry));
      };

      test('an exclusion list of 10,000 entries holds, every one, and makes no run slow', async () => {
        await applyList([]);
        await untilRun();
        await excludeFor('many-entries', excluding(...numbered(10_000, 'app')));
        const from = performance.now();
        await applyList([]);
        await untilRun();
        expect(performance.now() - from).toBeLessThan(10_000);
        expect(missingOf(await frozen('exclusions'), numbered(10_000, 'app'))).toEqual([]);
      });

      test('several configmaps of a mebibyte each, which is as much as the API server takes, are frozen in parts', async () => {
        for (const name of ['first', 'second', 'third']) await excludeFor(name, listOf(MiB, name));
        await expect(exclude('fourth', { 'x.json': listOf(MiB + 1, 'fourth') })).rejects.toThrow(
          /Too long: may not be more than 1048576 bytes/,
        );
        await applyList([]);
        await untilRun();
        const parts = await frozen('exclusions');
        expect(parts.length).toBeGreaterThan(3);
        expect(entriesOf(parts).filter((entry) => entry.startsWith('registry.example/'))).toHaveLength(30_000);
        expect(mountedByLatest('exclusions')).toBe(parts.length);
      });

      test('of 150 configmaps every one holds', async () => {
        const all = Array.from({ length: 150 }, (_, at) => `one-of-many-${String(at)}`);
        const items = all.map((name) => ({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace: site.namespace, labels: { ...EXCLUSION, many: 'true' } },
          data: { 'x.json': excluding(`${name}:1`) },
        }));
        await site.done(['create', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
        await applyList([]);
        await untilRun();
        expect(
          missingOf(
            await frozen('exclusions'),
            all.map((name) => `${name}:1`),
          ),
        ).toEqual([]);
        await client.deleteCollection(
          { resource: CONFIG_MAPS, namespace: site.namespace },
          { labelSelector: 'many=true' },
          { signal: stop.signal },
        );
      });

      test('an ImageList of 10,000 entries goes to the pods, every one', async () => {
        const images = Array.from({ length: 10_000 }, (_, at) => `registry.example/team/${String(at).padStart(80, 'x')}:1`);
        await applyList(images);
        await untilRun();
        const parts = await frozen('image-list');
        expect(parts.length).toBeGreaterThan(1);
        expect(parts.flatMap((part) => (JSON.parse(part) as { images: string[] }).images).sort()).toEqual(
          [`run:${String(runs)}`, ...images].sort(),
        );
        expect(mountedByLatest('image-list')).toBe(parts.length);
      });
    });
  });
