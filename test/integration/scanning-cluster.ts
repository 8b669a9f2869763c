import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Image } from '../../lab/images.ts';
import type { ImageAnalysis } from '../../src/api/scan-report.ts';
import { bindVerdicts } from '../../src/controller/bind/bind-verdicts.ts';
import type { CoordinatorClient, CoordinatorClientOptions } from '../../src/coordinator/client/coordinator-client.ts';
import type { CoordinatorLimits } from '../../src/coordinator/limits.ts';
import type { ImageReader, NodeRuntime } from '../../src/engine/ports.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { createTrivyReader, type TrivyReaderOptions } from '../../src/scan/trivy-reader.ts';
import type { ScanAnswer, ScanExchange } from '../../src/api/coordinator/scans-call.ts';
import { shareScans, type SharedScans } from '../../src/worker/share-scans.ts';
import { openTestClusterHistory } from '../fakes/cluster-history-in-test.ts';
import { ControllerInTest, podOf, reviewOf, RUN, startCoordinator, type CoordinatorInTest } from '../fakes/coordinator-in-test.ts';
import { logInTest, type LoggedLine } from '../fakes/log-in-test.ts';

export interface ScanningClusterOptions {
  /** The URL of Trivy's server. */
  readonly trivyServer: string;
  readonly limits?: Partial<CoordinatorLimits>;
  /** As the nodes read images. */
  readonly reading: TrivyReaderOptions;
  /** That of all nodes. */
  readonly runtime: NodeRuntime;
}

export interface ScanningCluster {
  readonly coordinator: CoordinatorInTest;
  /** Of the history. */
  readonly path: string;
  readonly log: readonly LoggedLine[];
  /** Another one, with a worker pod of its own. */
  readonly node: (number: number, client?: Partial<CoordinatorClientOptions>) => Promise<ScanningNode>;
  /** So much that nothing holds any more that the coordinator remembers of the server for a moment. */
  readonly passTime: () => void;
}

/** A coordinator as the manager binds it, with a history on the disk, and its nodes. All is gone when the test ends. */
export async function openScanningCluster(options: ScanningClusterOptions): Promise<ScanningCluster> {
  const { history, path } = await openTestClusterHistory();
  const { log, lines } = logInTest();
  let ahead = 0;
  const timing = { ...SYSTEM_TIMING, now: () => SYSTEM_TIMING.now() + ahead };
  const verdicts = bindVerdicts({ trivyServer: options.trivyServer, scans: history.scans, timing, log });
  onTestFinished(() => verdicts.close());
  const controller = new ControllerInTest();
  const server = { ports: { ...controller.ports, verdicts } };
  const coordinator = await startCoordinator({ controller, server, limits: options.limits ?? {} });
  return {
    coordinator,
    path,
    log: lines,
    node: async (number, client = {}) => {
      const name = `node-${number}`;
      const [pod, podUid, token] = [`pod-of-${name}`, `uid-of-${name}`, `token.of.${name}`];
      controller.workerPods.push(podOf(pod, podUid, { ...RUN, node: name }));
      controller.reviews.set(token, reviewOf(pod, podUid, name));
      const tokenFile = join(dirname(coordinator.files.tokenFile), name);
      await writeFile(tokenFile, token);
      return new ScanningNode(name, tokenFile, coordinator.client({ node: name, tokenFile, ...client }), options);
    },
    passTime: () => (ahead += 60_000),
  };
}

/** A limit for what hangs, no measure. */
const LIMITS = { concurrency: 1, perImageTimeoutMs: 110_000, totalTimeoutMs: 110_000 };
const { signal } = new AbortController();

/** Our scanner on a node. */
export class ScanningNode {
  readonly name: string;
  readonly tokenFile: string;
  readonly client: CoordinatorClient;
  /** The ids of the images that it was to read. */
  readonly read: string[] = [];
  readonly exchanges: ScanExchange[] = [];
  /** Comes before it reads an image. */
  beforeRead: () => Promise<void> = () => Promise.resolve();
  readonly #runtime: NodeRuntime;
  readonly #reader: ImageReader;

  constructor(name: string, tokenFile: string, client: CoordinatorClient, { reading, runtime }: ScanningClusterOptions) {
    this.name = name;
    this.tokenFile = tokenFile;
    this.client = client;
    this.#runtime = runtime;
    const reader = createTrivyReader(reading);
    onTestFinished(() => reader.close());
    this.#reader = {
      unsupportedBecause: reader.unsupportedBecause,
      probe: (until) => reader.probe(until),
      read: async (target, until) => {
        this.read.push(target.imageId);
        await this.beforeRead();
        return reader.read(target, until);
      },
      close: () => reader.close(),
    };
  }

  async scan(wanted: readonly Image[]): Promise<SharedScans> {
    const ids = new Set(wanted.map(({ id }) => id));
    const exchangeScans = (exchange: ScanExchange, until: AbortSignal): Promise<ScanAnswer> => {
      this.exchanges.push(exchange);
      return this.client.exchangeScans(exchange, until);
    };
    return shareScans({
      reader: this.#reader,
      coordinator: { exchangeScans },
      runtime: this.#runtime,
      images: (await this.#runtime.listImages(signal)).filter(({ id }) => ids.has(id)),
      limits: LIMITS,
      timing: SYSTEM_TIMING,
      onEvent: () => undefined,
      signal,
    });
  }

  /** One call, in which nothing is but this. */
  async call(asked: Partial<ScanExchange>): Promise<ScanAnswer> {
    const { version } = await this.#reader.probe(signal);
    const nothing = { scannerVersion: version, wanted: [], inHand: [], mayTake: 0, mayWaitMs: 0, analyses: [], failed: [] };
    return this.client.exchangeScans({ ...nothing, ...asked }, signal);
  }

  /** What it reads of the image, whoever is to read it. */
  async analyse({ id, refs }: Image): Promise<ImageAnalysis> {
    const attempt = await this.#reader.read({ imageId: id, repoTags: refs, repoDigests: [] }, signal);
    if (attempt.kind !== 'read') throw new Error(JSON.stringify(attempt));
    return attempt.analysis;
  }
}

export interface Address {
  readonly url: string;
  /** The URL of what is there from now on; null: nothing is. Connections to what was there before end. */
  readonly leadTo: (server: string | null) => void;
}

/** An address that stays, whatever server is there. */
export async function openAddress(server: string | null): Promise<Address> {
  let target = server;
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    if (target === null) {
      near.destroy();
      return;
    }
    const far = connect(Number(new URL(target).port), '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const leadTo = (next: string | null): void => {
    target = next;
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    leadTo(null);
    relay.close();
  });
  const { port } = relay.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, leadTo };
}
