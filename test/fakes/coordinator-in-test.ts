import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { NodeRun } from '../../src/api/coordinator/coordinator-api.ts';
import type { LogPiece } from '../../src/api/coordinator/logs-call.ts';
import type { InventoryReport } from '../../src/api/coordinator/inventory-call.ts';
import type { NodeResults } from '../../src/api/coordinator/results-call.ts';
import type { RunSettings } from '../../src/api/coordinator/settings-call.ts';
import type { ImageAnalysis, ScanReport } from '../../src/api/scan-report.ts';
import { CoordinatorClient, type CoordinatorClientOptions } from '../../src/coordinator/client/coordinator-client.ts';
import { CoordinatorServer, type CoordinatorServerOptions } from '../../src/coordinator/coordinator-server.ts';
import type { CoordinatorLimits } from '../../src/coordinator/limits.ts';
import type { Authority } from '../../src/coordinator/pki/authorities.ts';
import { makeAuthority, makeServerIdentity } from '../../src/coordinator/pki/make-authority.ts';
import type {
  AuthenticatedToken,
  CoordinatorEvent,
  CoordinatorPorts,
  Judged,
  ReviewedToken,
  WorkerPodRecord,
} from '../../src/coordinator/ports.ts';
import type { ImageHistory } from '../../src/core/image-age.ts';
import type { PendingPod } from '../../src/core/image-use.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { image, report } from './images.ts';

export const CREDENTIALS = {
  audience: 'image-cleaner-coordinator',
  username: 'system:serviceaccount:eraser-system:eraser-imagejob-pods',
} as const;

export const RUN: NodeRun = { job: '6a0f8a4e-5d3c-4a55-9a53-0d6f3f2f7a11', node: 'node-1' };
export const TOKEN = 'header.claims.signature';

export const SETTINGS: RunSettings = {
  scanPolicy: null,
  minAgeMs: 0,
  maxAgeMs: null,
  diskLimits: null,
  protections: [{ object: { kind: 'CronJob', namespace: 'shop', name: 'nightly' }, imageReferences: ['registry.example/report:1'] }],
};

/** What a controller knows, in memory: a coordinator's ports, and what a test looks at. */
export class ControllerInTest {
  /** Whose tokens are told by their signatures. */
  readonly signatures = new Map<string, AuthenticatedToken>();
  readonly reviews = new Map<string, ReviewedToken>([[TOKEN, reviewOf('worker-1', 'uid-1', RUN.node)]]);
  readonly workerPods: WorkerPodRecord[] = [podOf('worker-1', 'uid-1', RUN)];
  readonly running = new Set([RUN.job]);
  settings: RunSettings = SETTINGS;
  readonly nodePods = new Map<string, PendingPod[]>([[RUN.node, [{ namespace: 'shop', name: 'web', imageReferences: ['nginx:1'] }]]]);
  readonly histories = new Map<string, ImageHistory>();
  readonly known = new Map<string, ScanReport>();
  /** What was read of images, and by whom. */
  readonly told: { readonly node: string; readonly analyses: readonly ImageAnalysis[] }[] = [];
  judge: (analysis: ImageAnalysis) => ScanReport | null = ({ imageId }) => report(image(1), { imageId });
  /** Why Trivy's server cannot be asked. */
  away: Extract<Judged<never>, { readonly kind: 'away' }> | null = null;
  /** When this coordinator went on with its runs after another one; null: it did not. */
  takenUpAt: number | null = null;
  readonly reports: InventoryReport[] = [];
  readonly results: { readonly run: NodeRun; readonly results: NodeResults; readonly digest: string }[] = [];
  readonly logs: LogPiece[] = [];
  /** How often each was asked. */
  readonly asked = { reviews: 0, nodePods: 0 };
  /** Comes before every port's own work, with the port's name: a test delays or fails it there. */
  before: (port: keyof CoordinatorPorts, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  readonly ports: CoordinatorPorts = {
    tokens: {
      verify: (token) => Promise.resolve(this.signatures.get(token) ?? null),
      review: async (token, signal) => {
        this.asked.reviews += 1;
        await this.before('tokens', signal);
        return this.reviews.get(token) ?? { outcome: 'rejected', reason: `no such token: ${token}` };
      },
    },
    workerPods: {
      find: async ({ uid }, signal) => {
        await this.before('workerPods', signal);
        return this.workerPods.find((pod) => pod.uid === uid) ?? null;
      },
    },
    runs: {
      isRunning: async (job, signal) => {
        await this.before('runs', signal);
        return this.running.has(job);
      },
      settingsOf: (job) => Promise.resolve(this.running.has(job) ? this.settings : null),
      takenUpAt: () => this.takenUpAt,
    },
    nodePods: {
      list: async (node, signal) => {
        this.asked.nodePods += 1;
        await this.before('nodePods', signal);
        return this.nodePods.get(node) ?? [];
      },
    },
    images: {
      observe: async (_, report, signal) => {
        await this.before('images', signal);
        this.reports.push(report);
        return this.histories;
      },
    },
    verdicts: {
      read: async ({ imageIds }, signal) => {
        await this.before('verdicts', signal);
        if (this.away !== null) return this.away;
        return {
          kind: 'judged',
          value: new Map([...this.known].filter(([id]) => imageIds.includes(id)).map(([id, known]) => [id, JSON.stringify(known)])),
        };
      },
      judge: async ({ node }, analyses, signal) => {
        await this.before('verdicts', signal);
        if (this.away !== null) return this.away;
        this.told.push({ node, analyses });
        const reports = analyses.map((analysis) => this.judge(analysis));
        for (const report of reports) if (report !== null) this.known.set(report.imageId, report);
        return { kind: 'judged', value: reports.map((each) => (each === null ? null : JSON.stringify(each))) };
      },
    },
    results: {
      recordedDigest: (run) =>
        Promise.resolve(this.results.find((kept) => kept.run.job === run.job && kept.run.node === run.node)?.digest ?? null),
      record: async ({ job, node }, results, digest, signal) => {
        await this.before('results', signal);
        this.results.push({ run: { job, node }, results, digest });
      },
    },
    logs: {
      position: (_, container) => {
        const kept = this.logs.filter((piece) => piece.container === container);
        return Promise.resolve({ pieces: kept.length, bytes: Buffer.byteLength(kept.flatMap(({ lines }) => lines).join('\n')) });
      },
      append: async (_, piece, signal) => {
        await this.before('logs', signal);
        this.logs.push({ ...piece, container: piece.container as LogPiece['container'], lines: [...piece.lines] });
      },
    },
  };
}

export function reviewOf(podName: string, podUid: string, node: string | null): AuthenticatedToken {
  return {
    outcome: 'authenticated',
    username: CREDENTIALS.username,
    audiences: [CREDENTIALS.audience],
    extra: {
      'authentication.kubernetes.io/pod-name': [podName],
      'authentication.kubernetes.io/pod-uid': [podUid],
      ...(node === null ? {} : { 'authentication.kubernetes.io/node-name': [node] }),
    },
  };
}

export function podOf(name: string, uid: string, run: NodeRun): WorkerPodRecord {
  return { uid, name, namespace: 'eraser-system', isFinished: false, isBeingDeleted: false, ...run };
}

export interface CoordinatorInTest {
  readonly controller: ControllerInTest;
  readonly server: CoordinatorServer;
  readonly authority: Authority;
  readonly events: CoordinatorEvent[];
  readonly url: string;
  readonly files: { readonly tokenFile: string; readonly caFile: string };
  readonly retries: string[];
  /** A client of this server, closed when the test ends. */
  client(options?: Partial<CoordinatorClientOptions>): CoordinatorClient;
  /** Another server in the place of this one, which has to be closed. */
  restart(options?: Partial<CoordinatorServerOptions>): Promise<CoordinatorServer>;
}

export interface StartOptions {
  readonly controller?: ControllerInTest;
  readonly limits?: Partial<CoordinatorLimits>;
  readonly server?: Partial<CoordinatorServerOptions>;
}

/** A coordinator on a port of 127.0.0.1, with an authority of its own, and the files that its workers mount. Gone when the test ends. */
export async function startCoordinator({
  controller = new ControllerInTest(),
  limits = {},
  server: more = {},
}: StartOptions = {}): Promise<CoordinatorInTest> {
  const authority = makeAuthority(Date.now());
  const events: CoordinatorEvent[] = [];
  const start = async (port: number, options: Partial<CoordinatorServerOptions>): Promise<CoordinatorServer> => {
    const started = new CoordinatorServer({
      ports: controller.ports,
      credentials: CREDENTIALS,
      identity: makeServerIdentity(authority, ['localhost'], Date.now()),
      limits,
      timing: SYSTEM_TIMING,
      wallNow: Date.now,
      onEvent: (event) => void events.push(event),
      ...more,
      ...options,
    });
    await started.listen({ host: '127.0.0.1', port });
    onTestFinished(() => started.close(0));
    return started;
  };
  const server = await start(0, {});
  const { port } = server;
  const folder = mkdtempSync(join(tmpdir(), 'image-cleaner-coordinator-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = { tokenFile: join(folder, 'token'), caFile: join(folder, 'ca.crt') };
  writeFileSync(files.tokenFile, TOKEN);
  writeFileSync(files.caFile, authority.certificate);
  const url = `https://localhost:${port}`;
  const retries: string[] = [];
  return {
    controller,
    server,
    authority,
    events,
    url,
    files,
    retries,
    client: (options = {}) => {
      const client = new CoordinatorClient({
        url,
        ...RUN,
        ...files,
        timing: { ...SYSTEM_TIMING, random: () => 0 },
        wallNow: Date.now,
        giveUpAfterMs: null,
        onRetry: ({ code }) => void retries.push(code),
        ...options,
      });
      onTestFinished(() => client.close());
      return client;
    },
    restart: (options = {}) => start(port, options),
  };
}
