import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { COORDINATOR } from '../../src/api/coordinator/coordinator-objects.ts';
import { MOST_IN_HAND } from '../../src/api/coordinator/scans-call.ts';
import { JOB_UID_LABEL } from '../../src/core/cluster/worker-pod.ts';
import { SERVICE_ACCOUNTS } from '../../src/installation/permissions.ts';
import { issueCertificate, makeAuthority } from '../../lab/certificates.ts';
import { compactEtcd } from '../../lab/compact-etcd.ts';
import { renewManagerToken, replaceFile } from '../../lab/manager-account.ts';
import { makeContents } from '../../bench/fleet.ts';
import { steppedClock } from '../integration/bad-input/fake-clock.ts';
import { inAnyRun, type Fault, type RunUnderWay } from './fault-site.ts';
import { LyingWorker } from './lying-worker.ts';
import { historyInPostgres, historyOnOwnDisk } from './run-history.ts';
import { startTlsFront } from './tls-front.ts';

/** How long something is away, ms. */
export interface Lengths {
  readonly apiServer: number;
  readonly other: number;
}

export const SHORT: Lengths = { apiServer: 8_000, other: 6_000 };
export const LONG: Lengths = { apiServer: 180_000, other: 25_000 };

/** kill -9 of the manager after one of the writes. */
export const KILLED_SOMEWHERE = inAnyRun('the manager is killed', async (site) => {
  await site.untilWrites(1 + site.random.below(site.usualWrites));
  await site.manager().kill();
});

export const NOTHING_HAPPENS = inAnyRun('nothing', () => Promise.resolve());

/** kill -9 of the manager after the write of this number; the next one goes on. */
export function killedAfter(write: number): Fault {
  return inAnyRun(`the manager is killed after its write ${String(write)}`, async ({ untilWrites, manager }) => {
    await untilWrites(write);
    await manager().kill();
  });
}

/** Somewhere in the first half of a run. */
async function midway({ random, untilWrites, usualWrites }: RunUnderWay): Promise<void> {
  await untilWrites(1 + random.below(Math.floor(usualWrites / 2)));
}

/** All but kills. */
export function faultsOf(lengths: Lengths): readonly Fault[] {
  const away = (name: string, way: 'api' | 'coordinator' | 'trivy', how: 'shut' | 'freeze', ms: number): Fault =>
    inAnyRun(name, async (site) => {
      await midway(site);
      const gate = site.ways[way];
      gate[how]();
      await sleep(ms);
      if (how === 'shut') gate.open();
      else gate.thaw();
    });
  return [
    inAnyRun('the leader stands still while another one takes over, and goes on then', async (site) => {
      await midway(site);
      const first = site.manager();
      first.freeze();
      await site.startAnother();
      first.thaw();
      await sleep(lengths.other);
    }),
    inAnyRun('the API server is stopped', async (site) => {
      await midway(site);
      const { controlPlane } = site.cluster;
      await controlPlane.stopApiserver('SIGKILL');
      await sleep(lengths.apiServer);
      await controlPlane.startApiserver();
    }),
    inAnyRun('etcd is compacted while all watches are cut', async (site) => {
      await midway(site);
      site.ways.api.shut();
      await sleep(1_000);
      await compactEtcd(site.cluster.controlPlane);
      site.ways.api.open();
    }),
    away('the network to the API server loses all packets', 'api', 'freeze', lengths.other),
    away('the connections to the API server are cut', 'api', 'shut', 1_500),
    away('the network to the coordinator loses all packets', 'coordinator', 'freeze', lengths.other),
    away('the coordinator cannot be reached', 'coordinator', 'shut', lengths.other),
    away("Trivy's server hangs", 'trivy', 'freeze', lengths.other),
    away("Trivy's server is killed, and there again", 'trivy', 'shut', lengths.other),
    clockSteps('forward', lengths.other),
    clockSteps('back', lengths.other),
    fullDisk(lengths.other),
    postgresAway('stopped', lengths.other),
    postgresAway('killed', lengths.other),
    postgresAway('hung', lengths.other),
    tokenRefused(lengths.other),
    otherAuthority(lengths.other),
    lyingNode(lengths.other),
  ];
}

function clockSteps(direction: 'forward' | 'back', ms: number): Fault {
  return {
    name: `the clock of the manager steps ${direction} by a day, and is right again then`,
    stage: async ({ cluster }) => {
      const file = join(cluster.folder, 'clock');
      await writeFile(file, '+0');
      return {
        environment: await steppedClock({ file }),
        happen: async (site) => {
          await midway(site);
          await replaceFile(file, direction === 'forward' ? '+1d' : '-1d');
          await sleep(ms);
          await replaceFile(file, '+0');
        },
      };
    },
  };
}

function fullDisk(ms: number): Fault {
  return {
    name: 'the disk of the history is full',
    stage: ({ cluster }) => {
      const history = historyOnOwnDisk(cluster.folder);
      return Promise.resolve({
        history,
        happen: async (site) => {
          await midway(site);
          history.fill();
          await sleep(ms);
          history.free();
        },
      });
    },
  };
}

function postgresAway(how: 'stopped' | 'killed' | 'hung', ms: number): Fault {
  return {
    name: `the PostgreSQL of the history is ${how}`,
    stage: async ({ cluster, postgres }) => {
      const server = await postgres();
      return {
        history: await historyInPostgres(server, cluster.folder),
        happen: async (site) => {
          await midway(site);
          if (how === 'stopped') await server.stop();
          else if (how === 'killed') await server.kill();
          else server.pause();
          await sleep(ms);
          if (how === 'hung') server.resume();
          else await server.start();
        },
      };
    },
  };
}

/** How long the API server takes a token for valid that it has looked at. */
const TOKEN_CACHE_MS = 10_000;

function tokenRefused(ms: number): Fault {
  const secret = 'token-of-the-manager';
  return {
    name: "the manager's token is refused until there is another one",
    stage: async ({ cluster: { managerAccount, namespace }, kubectl }) => {
      await kubectl(['create', 'secret', 'generic', secret, '-n', namespace]);
      const renew = (): Promise<void> => renewManagerToken(managerAccount, { done: kubectl, namespace });
      await renewManagerToken(managerAccount, { done: kubectl, namespace }, secret);
      return {
        happen: async (site) => {
          await midway(site);
          await kubectl(['delete', 'secret', secret, '-n', namespace]);
          await sleep(TOKEN_CACHE_MS + ms);
          await renew();
        },
        close: renew,
      };
    },
  };
}

function otherAuthority(ms: number): Fault {
  return {
    name: 'the API server has a certificate of another CA, which the pod is given later',
    stage: async ({ cluster: { controlPlane, folder, managerAccount } }) => {
      const certificateBy = async (name: string): Promise<{ readonly ca: string; readonly certificate: string; readonly key: string }> => {
        const authority = await makeAuthority(join(folder, name));
        const request = { name: 'front', subject: '/CN=front', alternativeNames: ['IP:127.0.0.1'] };
        return { ca: await readFile(authority.certificate, 'utf8'), ...(await issueCertificate(authority, request)) };
      };
      const [before, after] = [await certificateBy('authority-before'), await certificateBy('authority-after')];
      const front = await startTlsFront(Number(new URL(controlPlane.url).port), before);
      const file = join(managerAccount, 'ca.crt');
      const own = await readFile(file, 'utf8');
      await replaceFile(file, before.ca);
      return {
        apiPort: front.port,
        happen: async (site) => {
          await midway(site);
          front.exchange(after);
          await sleep(ms);
          await replaceFile(file, after.ca);
        },
        close: async () => {
          front.close();
          await replaceFile(file, own);
        },
      };
    },
  };
}

function lyingNode(ms: number): Fault {
  return {
    name: 'a node lies, and calls the coordinator as often as it can',
    // It says that it has nothing in hand any more, and goes on with what it has.
    stage: () => Promise.resolve({ mostReadTwice: MOST_IN_HAND, happen: (site) => lie(site, ms) }),
  };
}

async function lie(site: RunUnderWay, ms: number): Promise<void> {
  const { cluster, kubectl, ways, caFile, complain } = site;
  const { namespace, nodes } = cluster;
  // No worker is done before.
  ways.coordinator.freeze();
  const { pod, uid, node, job } = await untilOneRuns(site);
  const bound = ['--bound-object-kind=Pod', `--bound-object-name=${pod}`, `--bound-object-uid=${uid}`];
  const token = await kubectl([
    'create',
    'token',
    '-n',
    namespace,
    SERVICE_ACCOUNTS.workers,
    `--audience=${COORDINATOR.audience}`,
    ...bound,
  ]);
  const host = `${COORDINATOR.service}.${namespace}.svc`;
  const ca = await readFile(caFile, 'utf8');
  const liar = new LyingWorker({ own: { job, node }, token: token.trim(), port: ways.coordinator.port, host, ca });
  ways.coordinator.thaw();
  try {
    const contents = makeContents(nodes);
    const other = contents.find(({ name }) => name !== node);
    const content = contents.find(({ name }) => name === node);
    const own = new Set(content?.inventory.images.map(({ id }) => id));
    const image = other?.inventory.images.find(({ id }) => !own.has(id));
    if (content === undefined || other === undefined || image === undefined) throw new Error('the nodes are all alike');
    const lies = await liar.lie({ otherNode: other.name, image: image.id, content });
    [...lies, ...(await liar.flood(ms))].forEach(complain);
  } finally {
    liar.close();
  }
}

type WorkerPod = Readonly<Record<'pod' | 'uid' | 'node' | 'job', string>>;

const JOB_OF_POD = `{.metadata.labels.${JOB_UID_LABEL.replaceAll('.', String.raw`\.`)}}`;
const RUNNING_PODS = `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.spec.nodeName} ${JOB_OF_POD}{"\\n"}{end}`;
const POD_LOOK_MS = 50;

async function untilOneRuns({ cluster: { namespace }, kubectl }: RunUnderWay): Promise<WorkerPod> {
  for (;;) {
    const running = ['-l', JOB_UID_LABEL, '--field-selector=status.phase=Running', '-o', RUNNING_PODS];
    const pods = await kubectl(['get', 'pods', '-n', namespace, ...running]);
    const [pod, uid, node, job] = pods.split('\n')[0]?.split(' ') ?? [];
    if (pod !== undefined && uid !== undefined && node !== undefined && job !== undefined) return { pod, uid, node, job };
    await sleep(POD_LOOK_MS);
  }
}
