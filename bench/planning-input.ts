import type { NodeContainer, NodeImage } from '../src/api/inventory.ts';
import { DEFAULT_SCAN_POLICY, type ScanPolicy } from '../src/api/scan-policy.ts';
import type { Finding, ScanReport, ScanResult } from '../src/api/scan-report.ts';
import { compileExclusions } from '../src/core/exclusions/exclusions.ts';
import type { PlanInput } from '../src/core/plan-facts.ts';
import { createRandomSource, type RandomSource } from './random-source.ts';

export interface PlanningSize {
  readonly images: number;
  readonly patterns: number;
}

/** All that a plan needs of a large node, but for the exclusions, which are still to be compiled. */
export interface PlanningInput {
  readonly patterns: readonly string[];
  readonly input: Omit<PlanInput, 'exclusions'>;
}

const NOW = Date.UTC(2026, 10, 1);
const DAY_MS = 86_400_000;

const SANDBOX_IMAGE: NodeImage = {
  id: `sha256:${'0'.repeat(64)}`,
  repoTags: ['registry.k8s.io/pause:3.10'],
  repoDigests: [],
  sizeBytes: 300_000,
  pinned: true,
};

const REGISTRIES = [
  'docker.io/library',
  'docker.io/acme',
  'ghcr.io/acme',
  'quay.io/acme/platform',
  'registry.example.com:5000/team',
] as const;
const SEVERITY_SHARES = ['LOW', 'LOW', 'LOW', 'LOW', 'MEDIUM', 'MEDIUM', 'MEDIUM', 'HIGH', 'HIGH', 'CRITICAL', 'UNKNOWN'] as const;
const STATUSES = ['fixed', 'fixed', 'affected', 'will_not_fix', 'fix_deferred'] as const;

/** One in fifty is in use. The verdicts have from none to 300 findings each, few in most and many in some, as base images do. */
export function makePlanningInput({ images: count, patterns }: PlanningSize): PlanningInput {
  const random = createRandomSource(20_261_101);
  const images = asParsed([SANDBOX_IMAGE, ...Array.from({ length: count - 1 }, (_, at) => makeImage(at, random))]);
  const vulnerabilities = Array.from({ length: 4_000 }, (_, at) => makeFinding(at, random));
  const results = new Map(images.map(({ id }): [string, ScanResult] => [id, makeResult(id, vulnerabilities, random)]));
  const containers = asParsed(images.filter((_image, at) => at % 50 === 0).map(makeContainer));
  return {
    patterns: Array.from({ length: patterns }, (_, at) => makePattern(at, random)),
    input: {
      inventory: {
        runtime: { name: 'containerd', version: '2.2.3' },
        images,
        containers,
        sandboxImageReferences: ['registry.k8s.io/pause:3.10'],
      },
      pendingPods: [],
      imageList: null,
      protections: [],
      minAgeMs: DAY_MS,
      maxAgeMs: 90 * DAY_MS,
      histories: new Map(images.map(({ id }) => [id, { firstSeenAt: NOW - random.below(100) * DAY_MS, lastInUseAt: null }])),
      diskThresholds: null,
      scan: { policy: makePolicy(vulnerabilities), results },
      storage: new Map(),
      now: NOW,
    },
  };
}

/** Objects and texts of its own, each text in one piece, as out of a message or a document: V8 is slow with texts put together of others. */
function asParsed<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** As `clean` compiles them. */
export function compilePatterns(entries: readonly string[]): PlanInput['exclusions'] {
  const compiled = compileExclusions([{ name: '--exclude', entries }]);
  if (!compiled.ok) throw new Error(compiled.errors.map(({ entry, message }) => `${entry}: ${message}`).join('\n'));
  return compiled.exclusions;
}

function makeImage(at: number, random: RandomSource): NodeImage {
  const repository = `${random.pick(REGISTRIES)}/${random.pick(['api', 'web', 'worker', 'proxy', 'batch'])}-${String(at % 1_000)}`;
  const version = `${String(random.below(4))}.${String(random.below(30))}.${String(at)}`;
  const tag = `${repository}:${version}${random.pick(['', '', '-alpine', '-rc.1'])}`;
  return {
    id: `sha256:${random.hex(64)}`,
    repoTags: at % 10 === 0 ? [] : [tag],
    repoDigests: [`${repository}@sha256:${random.hex(64)}`],
    sizeBytes: 10_000_000 + random.below(500_000_000),
    pinned: false,
  };
}

function makeContainer(image: NodeImage, at: number): NodeContainer {
  return {
    id: `container-${String(at)}`,
    name: 'app',
    state: 'running',
    podNamespace: 'default',
    podName: `app-${String(at)}`,
    imageReferences: [image.repoTags[0] ?? image.id, image.id],
    volumeImageReferences: [],
  };
}

function makeFinding(at: number, random: RandomSource): Finding {
  const status = random.pick(STATUSES);
  return {
    id: `CVE-${String(2016 + random.below(11))}-${String(1_000 + at)}`,
    packageName: `library-${String(random.below(600))}`,
    packageClass: random.pick(['os', 'os', 'library']),
    installedVersion: `${String(random.below(9))}.${String(random.below(40))}.${String(random.below(20))}`,
    fixedVersion: status === 'fixed' ? '9.9.9' : null,
    severity: random.pick(SEVERITY_SHARES),
    status,
  };
}

/** Findings in the scanner's order, by package: each image has some run of the vulnerabilities, as of one distribution's release. */
function makeResult(imageId: string, vulnerabilities: readonly Finding[], random: RandomSource): ScanResult {
  const count = Math.floor(300 * random.next() ** 2);
  const first = random.below(vulnerabilities.length - count);
  const findings = asParsed(vulnerabilities.slice(first, first + count));
  const report: ScanReport = {
    imageId,
    scanner: { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'bench' },
    os: { family: 'debian', name: '12.5', endOfLife: false },
    findings,
  };
  return { kind: 'scanned', report };
}

function makePolicy(vulnerabilities: readonly Finding[]): ScanPolicy {
  const ignored = vulnerabilities.filter((_vulnerability, at) => at % 40 === 0);
  return {
    ...DEFAULT_SCAN_POLICY,
    ignoredVulnerabilities: ignored.map(({ id }, at) => ({ id, statement: '', expiresAt: at % 2 === 0 ? null : '2027-01-31' })),
  };
}

/** Every kind of exclusion in turn. */
function makePattern(at: number, random: RandomSource): string {
  const name = `api-${String(at * 5)}`;
  const kinds = [
    `ghcr.io/acme/${name}`,
    `docker.io/acme/${name}:1.2.${String(at)}`,
    `quay.io/acme/platform/${name}:*`,
    `registry.example.com:5000/${name}/*`,
    `*/acme/${name}-*`,
    `docker.io/library/web-${String(at)}*:1.*`,
    `**/proxy-${String(at)}`,
    `ghcr.io/*/worker-${String(at)}?`,
    `ghcr.io/acme/batch-${String(at)}:>=1.10 <2`,
    `sha256:${random.hex(64)}`,
  ] as const;
  return kinds[at % kinds.length] ?? name;
}
