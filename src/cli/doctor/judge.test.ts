import { describe, expect, test } from 'vitest';
import type { FilesystemUsage, NodeContainer } from '../../api/inventory.ts';
import type { RunRecord } from '../../api/run-record.ts';
import type { Attempt } from './attempt.ts';
import type { Finding } from './check.ts';
import { judgeKubelet, type OwnLimits } from './judge-kubelet.ts';
import { judgeHistory, judgeIntegrity, type HistoryFacts, type IntegrityFacts } from './judge-history.ts';
import { judgeClock, judgeMemory, judgeRights, judgeTemporaryFolder } from './judge-machine.ts';
import { judgeEraser, judgeImageFilesystem, judgeRuntime, judgeServices, type ServicesFacts } from './judge-runtime.ts';
import { judgeDatabase, judgeJavaIndex, judgeServer, judgeTrivy, type DatabaseFacts } from './judge-trivy.ts';
import type { KubeletSettings } from './kubelet-settings.ts';

/** Each check, well and not. */

const GiB = 1024 ** 3;
const DAY = 86_400_000;
const NOW = Date.parse('2026-11-21T12:00:00Z');
const done = <T>(value: T): Attempt<T> => ({ ok: true, value });
const failed = { ok: false, code: 'unavailable', message: 'it is broken', hint: 'Mend it.' } as const;

type Case = readonly [finding: Finding, status: Finding['status'], found: RegExp];
const expectFinding = ([{ status, found, advice }, expected, pattern]: Case): void => {
  expect({ status, found }).toEqual({ status: expected, found: expect.stringMatching(pattern) as string });
  // What is not well says what to do.
  if (status === 'warning' || status === 'problem') expect(advice).toMatch(/\.$/);
};

describe('runtime', () => {
  const contact = (source: string): Finding =>
    judgeRuntime(done({ socketPath: '/run/c.sock', source, version: { name: 'containerd', version: '1.7.2' } }));
  test.each<Case>([
    [contact('found'), 'ok', /containerd 1\.7\.2 .* \/run\/c\.sock \(the first of the usual sockets\)/],
    [contact('/etc/crictl.yaml'), 'ok', /\(\/etc\/crictl\.yaml\)/],
    [judgeRuntime(failed), 'problem', /it is broken/],
  ])('%j is %s', (...check) => expectFinding(check));
});

describe('containerd-services', () => {
  const facts: ServicesFacts = { runtimeName: 'containerd', images: 30, lookedAt: 20, sized: 20, complete: 20, hasContentService: true };
  const judged = (other: Partial<ServicesFacts>): Finding => judgeServices(done({ ...facts, ...other }), true);
  test.each<Case>([
    [judged({}), 'ok', /20 images of 30/],
    [judged({ images: 0, lookedAt: 0, sized: 0, complete: 0 }), 'ok', /no image/],
    [judged({ runtimeName: 'cri-o' }), 'skipped', /cri-o/],
    [judged({ hasContentService: false, sized: 0, complete: 0 }), 'warning', /do not answer/],
    [judged({ sized: 18 }), 'warning', /sizes on disk of 2 of 20/],
    [judged({ complete: 17 }), 'warning', /3 of 20 images .* cannot be scanned/],
    // They go without a scan.
    [judgeServices(done({ ...facts, complete: 17 }), false), 'ok', /20 images of 30/],
    [judgeServices(failed, true), 'problem', /broken/],
    [judgeServices(null, true), 'skipped', /runtime/],
  ])('%j is %s', (...check) => expectFinding(check));
});

const filesystem = (percent: number): FilesystemUsage => ({
  mountpoint: '/var/lib/containerd',
  capacityBytes: 100 * GiB,
  availableBytes: (100 - percent) * GiB,
  // What is reserved for root is neither.
  usedBytes: (percent - 5) * GiB,
});

describe('image-filesystem', () => {
  test.each<Case>([
    [judgeImageFilesystem(done(filesystem(50))), 'ok', /\/var\/lib\/containerd: 50\.0 GiB of 100\.0 GiB used \(50\.0 %\)/],
    [judgeImageFilesystem(done(filesystem(93))), 'warning', /93\.0 %/],
    [judgeImageFilesystem(done(null)), 'warning', /cannot be seen/],
    [judgeImageFilesystem(failed), 'problem', /broken/],
    [judgeImageFilesystem(null), 'skipped', /runtime/],
  ])('%j is %s', (...check) => expectFinding(check));
});

describe('trivy', () => {
  const trivy = (version: string, runtimeName: string | null = 'containerd'): Finding =>
    judgeTrivy({ binary: 'trivy', path: '/usr/bin/trivy', version: done(version), runtimeName });
  test.each<Case>([
    [trivy('0.74.0'), 'ok', /0\.74\.0 at \/usr\/bin\/trivy/],
    [trivy('1.0.0'), 'ok', /1\.0\.0/],
    [trivy('0.74.0', null), 'ok', /0\.74\.0/],
    [trivy('0.73.9'), 'problem', /too old/],
    [trivy('0.8.0'), 'problem', /too old/],
    [trivy('dev'), 'warning', /cannot be compared/],
    [trivy('0.74.0', 'cri-o'), 'warning', /images of cri-o/],
    [judgeTrivy({ binary: 'trivy', path: null, version: null, runtimeName: null }), 'problem', /no trivy in PATH/],
    [judgeTrivy({ binary: '/opt/trivy', path: null, version: null, runtimeName: null }), 'problem', /no program \/opt\/trivy/],
    [
      judgeTrivy({ binary: 'trivy', path: '/usr/bin/trivy', version: failed, runtimeName: null }),
      'problem',
      /\/usr\/bin\/trivy: it is broken/,
    ],
  ])('%j is %s', (...check) => expectFinding(check));
});

describe('trivy-server', () => {
  const judged = (databaseUpdatedAt: string | null): Finding =>
    judgeServer({ contact: done({ url: 'http://trivy:4954/', version: '0.74.0', databaseUpdatedAt }), now: NOW });
  test.each<Case>([
    [judged('2026-11-21T06:00:00Z'), 'ok', /Trivy 0\.74\.0 answers at http:\/\/trivy:4954\/ .* made 2026-11-21/],
    [judged('2026-11-01T06:00:00Z'), 'warning', /made 2026-11-01.*, 20d ago/],
    [judged(null), 'warning', /does not tell/],
    [judgeServer({ contact: failed, now: NOW }), 'problem', /it is broken/],
  ])('%j is %s', (...check) => expectFinding(check));
});

describe('vulnerability-database', () => {
  const facts: DatabaseFacts = {
    path: '/cache/db/trivy.db',
    updatedAt: done('2026-11-21T06:00:00Z'),
    nextUpdate: '2026-11-22T06:00:00Z',
    sizeBytes: GiB,
    downloads: true,
    now: NOW,
  };
  const judged = (other: Partial<DatabaseFacts>): Finding => judgeDatabase({ ...facts, ...other });
  test.each<Case>([
    [judged({}), 'ok', /schema 2, 1\.0 GiB, at \/cache\/db\/trivy\.db, made 2026-11-21/],
    [judged({ updatedAt: done('2026-11-10T06:00:00Z') }), 'warning', /11d ago/],
    [judged({ nextUpdate: '2026-11-21T07:00:00Z' }), 'warning', /newer one is out since/],
    [judged({ updatedAt: done(null) }), 'warning', /how old/],
    [judged({ updatedAt: { ...failed, code: 'no-database' } }), 'warning', /broken/],
    [judged({ updatedAt: { ...failed, code: 'no-database' }, downloads: false }), 'problem', /broken/],
    [judged({ updatedAt: { ...failed, code: 'bad-database' } }), 'problem', /broken/],
    [judgeDatabase(null), 'skipped', /server/],
  ])('%j is %s', (...check) => expectFinding(check));
});

test.each<Case>([
  [judgeJavaIndex({ path: '/cache/java-db/trivy-java.db', isPresent: true, downloads: true }), 'ok', /At \/cache/],
  [judgeJavaIndex({ path: '/cache/java-db/trivy-java.db', isPresent: false, downloads: true }), 'ok', /downloads it/],
  [judgeJavaIndex({ path: '/cache/java-db/trivy-java.db', isPresent: false, downloads: false }), 'ok', /without a verdict/],
])('java-index: %j is %s', (...check) => expectFinding(check));

test.each<Case>([
  [
    judgeRights({ userId: 0, socket: { path: '/s', isAccessible: true }, historyFolder: { path: '/h', isWritable: true } }),
    'ok',
    /root may open \/s and write to \/h/,
  ],
  [judgeRights({ userId: 0, socket: null, historyFolder: { path: '/h', isWritable: true } }), 'ok', /root may write to \/h/],
  [judgeRights({ userId: 0, socket: null, historyFolder: null }), 'skipped', /^root; there is nothing to open$/],
  [judgeRights({ userId: 7, socket: { path: '/s', isAccessible: false }, historyFolder: null }), 'problem', /User 7 may not open \/s/],
  [
    judgeRights({ userId: 0, socket: { path: '/s', isAccessible: true }, historyFolder: { path: '/h', isWritable: false } }),
    'problem',
    /cannot write to \/h/,
  ],
])('rights: %j is %s', (...check) => expectFinding(check));

test.each<Case>([
  [
    judgeTemporaryFolder({ path: '/tmp', space: done({ availableBytes: 9 * GiB }), largestImageBytes: GiB }),
    'ok',
    /\/tmp has 9\.0 GiB free/,
  ],
  [
    judgeTemporaryFolder({ path: '/tmp', space: done({ availableBytes: 9 * GiB }), largestImageBytes: 4 * GiB }),
    'warning',
    /may need 12\.0 GiB/,
  ],
  [judgeTemporaryFolder({ path: '/tmp', space: done({ availableBytes: 1000 }), largestImageBytes: null }), 'warning', /1000 B free/],
  [judgeTemporaryFolder({ path: '/tmp', space: failed, largestImageBytes: null }), 'problem', /broken/],
])('temporary-folder: %j is %s', (...check) => expectFinding(check));

test.each<Case>([
  [
    judgeMemory({ memoryBytes: 4 * GiB, forScansBytes: 2 * GiB, concurrency: 4, perScanBytes: GiB / 2 }),
    'ok',
    /4\.0 GiB may be used, 2\.0 GiB of it for scans, 4 at once/,
  ],
  [
    judgeMemory({ memoryBytes: GiB / 2, forScansBytes: GiB / 4, concurrency: 1, perScanBytes: GiB / 2 }),
    'warning',
    /one scan needs up to 512\.0 MiB/,
  ],
  [
    judgeMemory({ memoryBytes: 4 * GiB, forScansBytes: 2 * GiB, concurrency: 16, perScanBytes: GiB / 2 }),
    'warning',
    /16 scans need up to 8\.0 GiB/,
  ],
])('memory: %j is %s', (...check) => expectFinding(check));

const run = { id: 12, startedAt: NOW - DAY, state: 'completed' } as RunRecord;
const history: HistoryFacts = { path: '/h.db', sizeBytes: 4096, mostBytes: GiB, schema: 1, runs: [run] };
test.each<Case>([
  [
    judgeHistory(done(history)),
    'ok',
    /\/h\.db: schema 1, 4\.0 KiB, 1 run; the last, number 12, began 2026-11-20T12:00:00\.000Z \(completed\)$/,
  ],
  [judgeHistory(done({ ...history, mostBytes: 1024 })), 'ok', /larger than --history-max-size \(1\.0 KiB\)/],
  [judgeHistory(done({ ...history, sizeBytes: null, runs: [] })), 'ok', /None yet at \/h\.db/],
  [judgeHistory(null), 'ok', /--no-history/],
  [judgeHistory(failed), 'problem', /broken/],
])('history: %j is %s', (...check) => expectFinding(check));

const integrity = (result: IntegrityFacts['result']): Finding => judgeIntegrity({ path: '/h.db', timeoutMs: 20_000, result });
test.each<Case>([
  [integrity({ kind: 'whole' }), 'ok', /\/h\.db whole/],
  [integrity({ kind: 'damaged', faults: ['one', 'two'] }), 'problem', /\/h\.db is damaged: one; two/],
  [integrity({ kind: 'timed-out' }), 'skipped', /within 20s/],
  [integrity({ kind: 'unreadable', message: 'busy' }), 'skipped', /now: busy/],
  [integrity(null), 'ok', /no history yet/],
  [judgeIntegrity(null), 'ok', /--no-history/],
])('history-integrity: %j is %s', (...check) => expectFinding(check));

test.each<Case>([
  [judgeClock({ now: NOW, isSynchronised: true, newest: { what: 'the last run', at: NOW - DAY } }), 'ok', /synchronised/],
  [judgeClock({ now: NOW, isSynchronised: false, newest: null }), 'warning', /not synchronised/],
  [judgeClock({ now: NOW, isSynchronised: null, newest: null }), 'skipped', /cannot be told/],
  [judgeClock({ now: NOW, isSynchronised: true, newest: { what: 'the last run', at: NOW + DAY } }), 'warning', /before the last run/],
])('clock: %j is %s', (...check) => expectFinding(check));

describe('kubelet', () => {
  const settings: KubeletSettings = {
    highPercent: 85,
    lowPercent: 80,
    minimumAgeMs: 120_000,
    maximumAgeMs: 0,
    unset: ['imageMaximumGCAge'],
  };
  const judged = (other: Partial<KubeletSettings>, ours: Partial<OwnLimits> = {}): Finding =>
    judgeKubelet(done({ source: '/k.yaml', settings: { ...settings, ...other } }), { minAge: 0, filesystem: filesystem(50), ...ours });
  test.each<Case>([
    [judged({}), 'ok', /\/k\.yaml: above 85 % it removes down to 80 %, images older than 2m; by default: imageMaximumGCAge/],
    [judged({}, { filesystem: null }), 'ok', /85 %/],
    [judged({}, { diskHigh: { unit: 'percent', value: 80 } }), 'ok', /85 %/],
    [judged({}, { diskHigh: { unit: 'percent', value: 85 } }), 'warning', /--disk-high is 85 %: the kubelet removes images first/],
    [judged({}, { diskHigh: { unit: 'bytes', value: 90 * GiB } }), 'warning', /--disk-high is 90 %/],
    [judged({}, { filesystem: filesystem(86) }), 'warning', /86\.0 % full: the kubelet removes images now/],
    [judged({ highPercent: 100 }, { filesystem: filesystem(100) }), 'ok', /100 %/],
    [judged({ maximumAgeMs: 7 * DAY }), 'warning', /unused for 7d, whatever is excluded here; no age limit/],
    [judged({ maximumAgeMs: 7 * DAY }, { maxAge: 30 * DAY }), 'warning', /--max-age is 30d/],
    [judged({ maximumAgeMs: 60 * DAY }, { maxAge: 30 * DAY }), 'ok', /unused for 60d/],
    [judgeKubelet(done(null), { minAge: 0, filesystem: null }), 'skipped', /No kubelet/],
    [judgeKubelet(failed, { minAge: 0, filesystem: null }), 'skipped', /broken/],
  ])('%j is %s', (...check) => expectFinding(check));
});

describe('eraser', () => {
  const container = (other: Partial<NodeContainer>): NodeContainer => ({
    id: 'c',
    name: 'trivy-scanner',
    state: 'running',
    podNamespace: 'kube-system',
    podName: 'eraser-aks-node-1-abc',
    imageReferences: ['mcr.microsoft.com/oss/v2/eraser/eraser-trivy-scanner:v1.4.0'],
    volumeImageReferences: [],
    ...other,
  });
  test.each<Case>([
    [judgeEraser(done([container({})])), 'warning', /pod kube-system\/eraser-aks-node-1-abc, container trivy-scanner/],
    [judgeEraser(done([container({ state: 'exited' })])), 'ok', /No worker/],
    [judgeEraser(done([container({ name: 'shop' })])), 'ok', /No worker/],
    [judgeEraser(done([container({ podName: 'shop-0', imageReferences: ['shop:1'] })])), 'ok', /No worker/],
    [judgeEraser(failed), 'skipped', /broken/],
    [judgeEraser(null), 'skipped', /runtime/],
  ])('%j is %s', (...check) => expectFinding(check));
});
