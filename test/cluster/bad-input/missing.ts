import { request } from 'node:https';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, onTestFinished, test, vi } from 'vitest';
import type { Condition } from '../../../src/api/condition.ts';
import type { ControllerProcess } from '../controller-process.ts';
import { AUTOMATIC, CONFIG, openSite, SOON, type OpenSite } from '../manager-in-test.ts';
import { openPaperNodes, type OpenPaperNodes } from '../nodes-in-test.ts';
import { workerReference } from '../worker-in-test.ts';

/** What a manager needs and does not find, on an API server of the tests' own: definitions and rights. */
export const describeMissing = (kubeconfig: () => string): unknown =>
  describe('what is missing', () => {
    let site: OpenSite;
    let nodes: OpenPaperNodes;
    let manager: ControllerProcess;
    let runs = 0;
    /** Of the manager, when the test began. */
    let logsBefore = 0;

    beforeAll(async () => {
      site = await openSite(kubeconfig(), workerReference('paper'));
      nodes = await openPaperNodes(kubeconfig(), [{ name: 'paper' }]);
      nodes.endPodsAfter(site.namespace, 20);
      await site.configure(CONFIG);
    });
    afterAll(async () => {
      await site.close();
      await nodes.close();
    });
    beforeEach(() => {
      logsBefore = (manager as ControllerProcess | undefined)?.logs.length ?? 0;
      onTestFailed(() => void process.stderr.write(site.logs().slice(-20_000)));
    });

    function start(): void {
      manager = site.start(['--job-history-limit=1000']);
      logsBefore = 0;
    }

    async function applyList(): Promise<void> {
      runs += 1;
      await site.applyList([`docker.io/library/nothing:${String(runs)}`]);
    }

    async function untilRun(): Promise<void> {
      await vi.waitFor(async () => {
        const { status: is, metadata } = await site.list();
        expect(is).toMatchObject({ observedGeneration: metadata.generation, success: 1, failed: 0, skipped: 0 });
        expect(is?.conditions).toContainEqual(
          expect.objectContaining({ type: 'Ready', status: 'True', observedGeneration: metadata.generation }),
        );
      }, SOON);
    }

    const hasLogged = (error: RegExp, hint: RegExp): void =>
      expect(manager.logs.slice(logsBefore)).toContainEqual(
        expect.objectContaining({ error: expect.stringMatching(error) as string, hint: expect.stringMatching(hint) as string }),
      );
    const untilLogged = (error: RegExp, hint: RegExp): Promise<void> =>
      vi.waitFor(() => hasLogged(error, hint), { timeout: 60_000, interval: 50 });

    describe('definitions that are missing', () => {
      const DEFINITION = { imagelists: 'eraser.sh_imagelists.yaml', imagejobs: 'eraser.sh_imagejobs.yaml' };
      const install = async (plural: keyof typeof DEFINITION): Promise<void> => {
        await site.done(['apply', '-f', `deploy/crds/${DEFINITION[plural]}`]);
        await vi.waitFor(() => site.done(['get', plural]), SOON);
      };
      const hintOf = (plural: string): RegExp =>
        new RegExp(`CustomResourceDefinition.+kubectl get crd ${plural}\\.eraser\\.sh.+kubectl apply -f`);

      test('when it starts: it waits for them, and says how to install them', async () => {
        await site.done(['delete', 'crd', 'imagelists.eraser.sh', 'imagejobs.eraser.sh']);
        start();
        for (const plural of ['imagelists', 'imagejobs']) await untilLogged(new RegExp(`^list ${plural}: .+404`), hintOf(plural));
        await install('imagelists');
        await install('imagejobs');
        await applyList();
        await untilRun();
        expect(manager.logs.filter(({ message }) => message === 'started')).toHaveLength(1);
      });

      test.each(['imagelists', 'imagejobs'] as const)('of %s, deleted while it runs: it goes on once it is there again', async (plural) => {
        await site.done(['delete', 'crd', `${plural}.eraser.sh`]);
        if (plural === 'imagejobs') await applyList();
        await untilLogged(new RegExp(`(list|watch|create|get) ${plural}.*: .+404`), hintOf(plural));
        await install(plural);
        if (plural === 'imagelists') await applyList();
        await untilRun();
        expect(manager.logs.filter(({ message }) => message === 'ended')).toEqual([]);
      });
    });

    describe('a right that is missing', () => {
      type Kind = 'ClusterRole' | 'Role';
      interface Rule {
        /** Not of a rule for paths. */
        readonly resources?: readonly string[];
        readonly verbs: readonly string[];
      }
      const roleOf = async (kind: Kind): Promise<{ rules: Rule[] }> =>
        JSON.parse(await site.done(['get', kind, 'eraser-manager-role', '-n', site.namespace, '-o', 'json'])) as { rules: Rule[] };
      const useRules = (kind: Kind, rules: readonly Rule[]): Promise<string> =>
        site.done(['patch', kind, 'eraser-manager-role', '-n', site.namespace, '--type=merge', '-p', JSON.stringify({ rules })]);
      const mayI = async (verb: string, resource: string): Promise<boolean> => {
        const account = `system:serviceaccount:${site.namespace}:eraser-controller-manager`;
        const [name = '', subresource] = resource.split('/');
        const of = subresource === undefined ? [] : [`--subresource=${subresource}`];
        return (await site.kubectl(['auth', 'can-i', verb, name, ...of, '-n', site.namespace, `--as=${account}`])).stdout.trim() === 'yes';
      };
      /** Takes the verb away, and gives what gives it back. */
      async function deny(kind: Kind, verb: string, resource: string): Promise<() => Promise<void>> {
        const { rules } = await roleOf(kind);
        const less = rules.map((rule) =>
          rule.resources?.includes(resource) === true ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) } : rule,
        );
        await useRules(
          kind,
          less.filter(({ verbs }) => verbs.length > 0),
        );
        const grant = async (): Promise<void> => {
          await useRules(kind, rules);
        };
        // Also of a test that failed, so that no other does for it.
        onTestFinished(grant);
        return grant;
      }
      const told = (verb: string, resource: string): [RegExp, RegExp] => [
        new RegExp(`403: .*cannot ${verb} resource "${resource}"`),
        new RegExp(`^Grant the verb "${verb}" on "${resource}" of API group`),
      ];
      interface Made {
        readonly jobs: number;
        readonly pods: number;
      }
      /** Jobs that were completed, and pods that were ever made. */
      const madeSince = async (before: Made): Promise<Made> => ({
        jobs: (await site.jobs()).filter(({ status: is }) => is?.phase === 'Completed').length - before.jobs,
        pods: site.podsEver().size - before.pods,
      });
      let pokes = 0;
      /** A run that waits is looked at once a minute, and whenever an input changes. */
      const poke = (): Promise<void> =>
        site.applyConfigMap(
          'poke',
          { 'x.json': JSON.stringify({ excluded: [`poke:${String((pokes += 1))}`] }) },
          { 'eraser.sh/exclude.list': 'true' },
        );

      test.each([
        ['ClusterRole', 'create', 'imagejobs'],
        ['ClusterRole', 'patch', 'imagejobs/status'],
        ['ClusterRole', 'patch', 'imagelists/status'],
        ['Role', 'create', 'pods'],
        ['Role', 'create', 'configmaps'],
        ['Role', 'deletecollection', 'configmaps'],
      ] as const)('%s: to %s %s: the log says so; what was asked for is done once it is granted', async (kind, verb, resource) => {
        const grant = await deny(kind, verb, resource);
        await vi.waitFor(async () => expect(await mayI(verb, resource)).toBe(false), SOON);
        const before = await madeSince({ jobs: 0, pods: 0 });
        await applyList();
        await untilLogged(...told(verb, resource));
        // Of all these, the right to tell what came of a list is the one that is wanted after the run.
        const isDone = resource === 'imagelists/status' ? 1 : 0;
        await vi.waitFor(async () => expect(await madeSince(before)).toEqual({ jobs: isDone, pods: isDone }), SOON);
        await grant();
        await untilRun();
        expect(await madeSince(before)).toEqual({ jobs: 1, pods: 1 });
      });

      const stalled = async (reason: string): Promise<Condition | undefined> =>
        (await site.jobs())
          .flatMap(({ status: is }) => is?.conditions ?? [])
          .find((condition) => condition.type === 'Stalled' && condition.reason === reason);

      test('to list nodes: the job says so, and begins once it is granted', async () => {
        const grant = await deny('ClusterRole', 'list', 'nodes');
        await vi.waitFor(async () => expect(await mayI('list', 'nodes')).toBe(false), SOON);
        const pods = site.podsEver().size;
        await applyList();
        await vi.waitFor(
          async () => expect((await stalled('NodesUnreadable'))?.message).toContain('Grant the verb "list" on "nodes"'),
          SOON,
        );
        expect((await site.list()).status?.conditions?.find(({ type }) => type === 'Reconciling')?.message).toContain(
          'Grant the verb "list" on "nodes"',
        );
        expect(site.podsEver().size).toBe(pods);
        await grant();
        await poke();
        await untilRun();
      });

      test('to review tokens: a worker is told to come again, and the log says why', async () => {
        const grant = await deny('ClusterRole', 'create', 'tokenreviews');
        await vi.waitFor(async () => expect(await mayI('create', 'tokenreviews')).toBe(false), SOON);
        const port = Number(manager.logs.find(({ message }) => message === 'the coordinator answers')?.['port']);
        const ask = (token: string): Promise<number> =>
          new Promise((resolve, reject) => {
            const options = {
              host: '127.0.0.1',
              port,
              path: '/v1/pods',
              rejectUnauthorized: false,
              headers: { authorization: `Bearer ${token}` },
            };
            request(options, (there) => {
              there.resume();
              resolve(there.statusCode ?? 0);
            })
              .on('error', reject)
              .end();
          });
        expect(await ask('a')).toBe(500);
        hasLogged(...told('create', 'tokenreviews'));
        await grant();
        await vi.waitFor(async () => expect(await mayI('create', 'tokenreviews')).toBe(true), SOON);
        expect(await ask('b')).toBe(403);
      });

      test('to list CronJobs: an automatic run waits, and says so', async () => {
        const grant = await deny('ClusterRole', 'list', 'cronjobs');
        await vi.waitFor(async () => expect(await mayI('list', 'cronjobs')).toBe(false), SOON);
        const pods = site.podsEver().size;
        await site.configure(AUTOMATIC);
        await vi.waitFor(
          async () =>
            expect((await stalled('WorkloadsUnreadable'))?.message).toContain('Grant the verb "list" on "cronjobs" of API group "batch"'),
          SOON,
        );
        expect(site.podsEver().size).toBe(pods);
        await grant();
        await poke();
        await vi.waitFor(async () => expect((await site.jobs()).every(({ status: is }) => is?.phase === 'Completed')).toBe(true), SOON);
        expect(site.podsEver().size).toBe(pods + 1);
        await site.configure(CONFIG);
      });

      test.each([
        ['Role', 'get', 'leases'],
        ['Role', 'list', 'configmaps'],
      ] as const)('%s: to %s %s, when it starts: it does nothing, says so, and begins once it is granted', async (kind, verb, resource) => {
        await manager.stop();
        const grant = await deny(kind, verb, resource);
        start();
        await untilLogged(...told(verb, resource));
        await applyList();
        await grant();
        await untilRun();
      });

      test('to keep the lease, while it leads: it ends, and leads again once it is granted', async () => {
        const grant = await deny('Role', 'update', 'leases');
        expect(await manager.ended()).toBe(1);
        hasLogged(...told('update', 'leases'));
        expect(manager.logs.at(-1)).toMatchObject({ message: 'ended', end: 'lost' });
        start();
        await applyList();
        await grant();
        await untilRun();
      });
    });
  });
