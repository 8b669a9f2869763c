import { describe, expect, it, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { CHART, V1ALPHA1, V1ALPHA2, V1ALPHA3 } from '../../../test/fakes/eraser-configs.ts';
import { parseDuration } from '../../platform/duration.ts';
import { parseQuantity } from '../../platform/quantity.ts';
import { scheduleOf, type EraserConfig } from '../eraser-config.ts';
import type { Problem } from '../problem.ts';
import type { TextParsers } from './config-values.ts';
import { parseEraserConfig } from './parse-eraser-config.ts';

const MiB = 1024 * 1024;
const HOUR = 3_600_000;
const parsers: TextParsers = {
  duration: parseDuration,
  quantity: parseQuantity,
  yaml: (text) => (text === '{' ? { ok: false, message: 'not YAML' } : { ok: true, value: parse(text) as unknown }),
};

function configOf(value: unknown): EraserConfig {
  const parsed = parseEraserConfig(value, parsers);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return parsed.config;
}

function errorsOf(value: unknown): readonly Problem[] {
  const parsed = parseEraserConfig(value, parsers);
  return parsed.ok ? [] : parsed.errors;
}

/** A v1alpha3 configuration of these parts alone. */
const made = (manager: object, components: object = {}): object => ({
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  manager,
  components,
});
const scanner = (config: unknown, image?: object): object =>
  made({}, { scanner: { enabled: true, config: typeof config === 'string' ? config : stringify(config), ...(image && { image }) } });

const TRIVY_DEFAULTS = {
  kind: 'trivy',
  cacheDir: '/var/lib/trivy',
  dbRepo: 'ghcr.io/aquasecurity/trivy-db',
  deleteFailedImages: true,
  deleteEOLImages: true,
  vulnerabilities: {
    ignoreUnfixed: false,
    types: ['os', 'library'],
    securityChecks: ['vuln'],
    severities: ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'],
    ignoredStatuses: [],
  },
  timeout: { total: 23 * HOUR, perImage: HOUR },
};

const DEFAULTS = {
  manager: {
    runtime: { name: 'containerd', address: 'unix:///run/containerd/containerd.sock' },
    otlpEndpoint: '',
    logLevel: 'info',
    scheduling: { repeatInterval: 24 * HOUR, beginImmediately: true, cron: null, timeZone: 'UTC', maintenanceWindow: null },
    profile: { enabled: false, port: 6060 },
    imageJob: {
      successRatio: 1,
      cleanup: { delayOnSuccess: 0, delayOnFailure: 24 * HOUR },
      maxParallel: null,
      maxFailed: null,
      waves: { pause: 0 },
      lateNodes: { within: 0 },
    },
    keptRevisions: 0,
    pullSecrets: [],
    priorityClassName: '',
    additionalPodLabels: {},
    nodeFilter: { type: 'exclude', selectors: ['eraser.sh/cleanup.filter', 'kubernetes.io/os=windows'] },
  },
  components: {
    collector: {
      enabled: false,
      image: { repo: null, tag: null },
      request: { cpu: 0.007, mem: 25 * MiB },
      limit: { cpu: 0, mem: 500 * MiB },
      volumes: [],
    },
    scanner: {
      enabled: false,
      image: { repo: null, tag: null },
      request: { cpu: 1, mem: 500 * MiB },
      limit: { cpu: 0, mem: 2048 * MiB },
      config: TRIVY_DEFAULTS,
      volumes: [],
    },
    remover: {
      image: { repo: null, tag: null },
      request: { cpu: 0, mem: 25 * MiB },
      limit: { cpu: 0, mem: 30 * MiB },
      volumes: [],
    },
  },
};

describe('the configurations of Eraser', () => {
  test.each(['eraser.sh/v1alpha1', 'eraser.sh/v1alpha2', 'eraser.sh/v1alpha3'])('%s without a setting is all defaults', (apiVersion) => {
    expect(configOf({ apiVersion, kind: 'EraserConfig' })).toEqual(DEFAULTS);
    expect(configOf({ apiVersion, kind: 'EraserConfig', manager: null, components: { scanner: null, collector: {} } })).toEqual(DEFAULTS);
  });

  const withImages = (names: readonly [string, string, string], tag: string): typeof DEFAULTS.components => {
    const [collector, scannerImage, remover] = names.map((name) => ({ repo: `ghcr.io/eraser-dev/${name}`, tag }));
    return {
      collector: { ...DEFAULTS.components.collector, enabled: true, image: collector },
      scanner: { ...DEFAULTS.components.scanner, enabled: true, image: scannerImage },
      remover: { ...DEFAULTS.components.remover, image: remover },
    } as unknown as typeof DEFAULTS.components;
  };

  it('of v1alpha1, whose remover is called eraser', () => {
    const components = withImages(['collector', 'eraser-trivy-scanner', 'eraser'], 'v1.0.0');
    const vulnerabilities = { ...TRIVY_DEFAULTS.vulnerabilities, ignoreUnfixed: true, severities: ['CRITICAL'] };
    expect(configOf(V1ALPHA1)).toEqual({
      ...DEFAULTS,
      components: {
        ...components,
        scanner: { ...components.scanner, config: { ...TRIVY_DEFAULTS, vulnerabilities } },
        remover: { ...components.remover, limit: { cpu: 1, mem: 30 * MiB } },
      },
    });
  });

  it('of v1alpha2', () => {
    const components = withImages(['collector', 'eraser-trivy-scanner', 'remover'], 'v1.2.0');
    const vulnerabilities = { ...TRIVY_DEFAULTS.vulnerabilities, ignoreUnfixed: true };
    expect(configOf(V1ALPHA2)).toEqual({
      ...DEFAULTS,
      components: { ...components, scanner: { ...components.scanner, config: { ...TRIVY_DEFAULTS, vulnerabilities } } },
    });
  });

  it('of v1alpha3', () => {
    expect(configOf(V1ALPHA3)).toEqual({
      ...DEFAULTS,
      components: withImages(['collector', 'eraser-trivy-scanner', 'remover'], 'v1.4.1'),
    });
  });

  it('of the chart, with empty mappings', () => {
    const { components, ...rest } = configOf(CHART);
    expect(rest).toEqual({ manager: DEFAULTS.manager });
    expect(components).toMatchObject({ collector: { enabled: true }, scanner: { enabled: true, config: TRIVY_DEFAULTS } });
  });
});

describe('what a configuration sets', () => {
  it('is all carried, in milliseconds, bytes and processors', () => {
    const manager = {
      runtime: { name: 'crio' },
      otlpEndpoint: 'collector:4318',
      logLevel: 'debug',
      scheduling: {
        repeatInterval: '168h',
        beginImmediately: false,
        cron: '0 3 * * 0',
        timeZone: 'Europe/Berlin',
        maintenanceWindow: { opens: '0 1 * * 6,0', length: '4h' },
      },
      profile: { enabled: true, port: 7070 },
      imageJob: {
        successRatio: 0.75,
        cleanup: { delayOnSuccess: '1m30s', delayOnFailure: '0s' },
        maxParallel: '10%',
        maxFailed: 0,
        waves: { pause: '10m' },
        lateNodes: { within: '1h' },
      },
      keptRevisions: 2,
      pullSecrets: ['registry'],
      priorityClassName: 'low',
      additionalPodLabels: { team: 'platform' },
      nodeFilter: { type: 'include', selectors: ['pool=batch'] },
    };
    const hostPath = { path: '/etc/certs', type: 'Directory' };
    const remover = { image: { repo: 'r', tag: 't' }, request: { mem: '1Gi', cpu: 2 }, volumes: [{ name: 'certs', hostPath }] };
    const config = configOf(made(manager, { remover }));
    expect(config.manager).toEqual({
      ...manager,
      runtime: { name: 'crio', address: 'unix:///run/crio/crio.sock' },
      scheduling: { ...manager.scheduling, repeatInterval: 168 * HOUR, maintenanceWindow: { opens: '0 1 * * 6,0', length: 4 * HOUR } },
      imageJob: {
        ...manager.imageJob,
        cleanup: { delayOnSuccess: 90_000, delayOnFailure: 0 },
        waves: { pause: 600_000 },
        lateNodes: { within: HOUR },
      },
      nodeFilter: { type: 'include', selectors: ['pool=batch', 'eraser.sh/cleanup.filter'] },
    });
    expect(config.components.remover).toEqual({ ...remover, request: { mem: 1024 * MiB, cpu: 2 }, limit: { mem: 30 * MiB, cpu: 0 } });
  });

  it('of the scanner, in any letters', () => {
    const vulnerabilities = {
      types: ['OS'],
      securityChecks: ['vuln', 'secret'],
      severities: ['high', 'Unknown'],
      ignoredStatuses: ['fixed'],
    };
    const parsed = parseEraserConfig(scanner({ vulnerabilities, timeout: { perImage: '90s' } }), parsers);
    expect(parsed).toMatchObject({
      ok: true,
      config: {
        components: {
          scanner: {
            config: {
              vulnerabilities: { ...vulnerabilities, types: ['os'], severities: ['HIGH', 'UNKNOWN'], ignoreUnfixed: false },
              timeout: { perImage: 90_000, total: 23 * HOUR },
            },
          },
        },
      },
      warnings: [
        { path: 'components.scanner.config.vulnerabilities.securityChecks', message: expect.stringContaining('secret') as string },
      ],
    });
  });

  it.each([
    'ghcr.io/eraser-dev/eraser-trivy-scanner',
    'mcr.microsoft.com/oss/eraser/eraser-trivy-scanner',
    'registry.local:5000/mirror/eraser-trivy-scanner',
    '',
  ])('the scanner %j is Trivy', (repo) => {
    expect(configOf(scanner('', { repo })).components.scanner.config).toEqual(TRIVY_DEFAULTS);
  });

  it("the configuration of a scanner of the user's own is carried as it is", () => {
    expect(configOf(scanner('anything: [goes]', { repo: 'ghcr.io/acme/scanner' })).components.scanner.config).toEqual({
      kind: 'custom',
      text: 'anything: [goes]',
    });
  });

  it('what only the documentation of Eraser names is known, and warned of when it is filled', () => {
    expect(parseEraserConfig(made({ extraScannerVolumes: {} }), parsers)).toMatchObject({ ok: true, warnings: [] });
    const filled = parseEraserConfig(made({ extraScannerVolumes: [{ name: 'a' }] }), parsers);
    expect(filled).toMatchObject({ ok: true, config: DEFAULTS, warnings: [{ path: 'manager.extraScannerVolumes' }] });
  });

  it('the schedule, which is none without the collector', () => {
    expect(scheduleOf(configOf(made({ scheduling: { repeatInterval: '2h' } })))).toBeNull();
    const { manager, components } = configOf(made({ scheduling: { repeatInterval: '2h' } }, { collector: { enabled: true } }));
    expect(scheduleOf({ manager, components })).toEqual({ kind: 'interval', intervalMs: 2 * HOUR, beginImmediately: true });
    const byCron = configOf(made({ scheduling: { repeatInterval: '2h', cron: '0 3 * * 0' } }, { collector: { enabled: true } }));
    expect(scheduleOf(byCron)).toEqual({ kind: 'cron', expression: '0 3 * * 0', timeZone: 'UTC' });
  });
});

describe('what is wrong is told by its path, with what is allowed', () => {
  const components = (name: string, value: unknown): object => made({}, { [name]: value });
  const cases: readonly (readonly [name: string, config: unknown, path: string, message: RegExp])[] = [
    ['no mapping', ['a'], '', /a list is not a mapping with apiVersion/],
    ['no version', { kind: 'EraserConfig' }, 'apiVersion', /missing.+eraser\.sh\/v1alpha1, eraser\.sh\/v1alpha2, eraser\.sh\/v1alpha3/],
    ['another version', { ...V1ALPHA3, apiVersion: 'eraser.sh/v1' }, 'apiVersion', /"eraser\.sh\/v1" is not one of eraser\.sh\/v1alpha1/],
    ['another kind', { ...V1ALPHA3, kind: 'ImageList' }, 'kind', /"ImageList" is not EraserConfig/],
    ['no kind', { apiVersion: 'eraser.sh/v1alpha3' }, 'kind', /missing/],
    ['an unknown section', { ...V1ALPHA3, managr: {} }, 'managr', /did you mean manager\?/],
    ['an unknown key', made({ schedulling: {} }), 'manager.schedulling', /did you mean scheduling\?/],
    ['a key like no other', made({ colour: 1 }), 'manager.colour', /known are .*scheduling/],
    ['a key of every object', made({ constructor: 1 }), 'manager.constructor', /unknown/],
    ['a section that is no mapping', made([]), 'manager', /a list is not a mapping/],
    [
      'a duration in words',
      made({ scheduling: { repeatInterval: '5 minutes' } }),
      'manager.scheduling.repeatInterval',
      /"5 minutes".+1h30m/,
    ],
    ['a duration without unit', made({ scheduling: { repeatInterval: 24 } }), 'manager.scheduling.repeatInterval', /24 is not.+24h/],
    ['no interval', made({ scheduling: { repeatInterval: '0s' } }), 'manager.scheduling.repeatInterval', /longer than zero/],
    ['a negative delay', made({ imageJob: { cleanup: { delayOnFailure: '-1h' } } }), 'manager.imageJob.cleanup.delayOnFailure', /negative/],
    ['a flag in quotes', made({ scheduling: { beginImmediately: 'yes' } }), 'manager.scheduling.beginImmediately', /"yes".+true or false/],
    ['a port', made({ profile: { port: 70_000 } }), 'manager.profile.port', /70000.+0 to 65535/],
    ['a ratio', made({ imageJob: { successRatio: 75 } }), 'manager.imageJob.successRatio', /75.+from 0 to 1/],
    ['a log level', made({ logLevel: 'loud' }), 'manager.logLevel', /"loud".+debug, info, warn/],
    ['a node filter', made({ nodeFilter: { type: 'only' } }), 'manager.nodeFilter.type', /"only".+exclude, include/],
    ['a selector', made({ nodeFilter: { selectors: [1] } }), 'manager.nodeFilter.selectors[0]', /1 is not a text/],
    [
      'a label that is no text',
      made({ additionalPodLabels: { on: true } }),
      'manager.additionalPodLabels.on',
      /true is not a text.+quotes/,
    ],
    ['a runtime', made({ runtime: { name: 'docker' } }), 'manager.runtime.name', /"docker".+containerd, crio, dockershim/],
    ['an address', made({ runtime: { name: 'crio', address: 'http://x' } }), 'manager.runtime.address', /"http:\/\/x".+unix:\/\//],
    ['an address without a name', made({ runtime: { address: 'unix:///a' } }), 'manager.runtime.name', /missing.+containerd, crio/],
    ['a runtime by name in v1alpha3', made({ runtime: 'containerd' }), 'manager.runtime', /"containerd".+name and address/],
    [
      'a runtime by address in v1alpha2',
      { ...V1ALPHA2, manager: { runtime: { name: 'crio' } } },
      'manager.runtime',
      /a mapping is not one of containerd.+v1alpha3/,
    ],
    [
      'labels in v1alpha1',
      { ...V1ALPHA1, manager: { additionalPodLabels: {} } },
      'manager.additionalPodLabels',
      /from eraser\.sh\/v1alpha3/,
    ],
    ['no nodes at once', made({ imageJob: { maxParallel: 0 } }), 'manager.imageJob.maxParallel', /0 is not a whole number from 1.+10%/],
    ['more than all nodes', made({ imageJob: { maxParallel: '101%' } }), 'manager.imageJob.maxParallel', /"101%" is not.+1% to 100%/],
    [
      'a window without an end',
      made({ scheduling: { maintenanceWindow: { opens: '0 1 * * *' } } }),
      'manager.scheduling.maintenanceWindow.length',
      /missing/,
    ],
    [
      'a window that is a text',
      made({ scheduling: { maintenanceWindow: '1-5' } }),
      'manager.scheduling.maintenanceWindow',
      /opens and length/,
    ],
    [
      'a misspelt window',
      made({ scheduling: { maintenanceWindw: {} } }),
      'manager.scheduling.maintenanceWindw',
      /did you mean maintenanceWindow\?/,
    ],
    ['revisions below none', made({ keptRevisions: -1 }), 'manager.keptRevisions', /-1 is not a whole number from 0/],
    ['revisions in v1alpha2', { ...V1ALPHA2, manager: { keptRevisions: 1 } }, 'manager.keptRevisions', /from eraser\.sh\/v1alpha3/],
    ['cron in v1alpha1', { ...V1ALPHA1, manager: { scheduling: { cron: '' } } }, 'manager.scheduling.cron', /from eraser\.sh\/v1alpha3/],
    [
      'parallel nodes in v1alpha1',
      { ...V1ALPHA1, manager: { imageJob: { maxParallel: 1 } } },
      'manager.imageJob.maxParallel',
      /from eraser\.sh\/v1alpha3/,
    ],
    ['waves in v1alpha2', { ...V1ALPHA2, manager: { imageJob: { waves: {} } } }, 'manager.imageJob.waves', /from eraser\.sh\/v1alpha3/],
    [
      'fewer than no nodes that fail',
      made({ imageJob: { maxFailed: -1 } }),
      'manager.imageJob.maxFailed',
      /-1 is not a whole number from 0/,
    ],
    [
      'late nodes without an end',
      made({ imageJob: { lateNodes: { within: 'ever' } } }),
      'manager.imageJob.lateNodes.within',
      /"ever" is not a duration/,
    ],
    ['a pause below none', made({ imageJob: { waves: { pause: '-1m' } } }), 'manager.imageJob.waves.pause', /"-1m" is not a duration/],
    ['a remover in v1alpha1', { ...V1ALPHA1, components: { remover: {} } }, 'components.remover', /called eraser/],
    ['an eraser in v1alpha3', components('eraser', {}), 'components.eraser', /called remover/],
    ['memory', components('collector', { request: { mem: '2 gigs' } }), 'components.collector.request.mem', /"2 gigs".+500Mi/],
    ['processors', components('remover', { limit: { cpu: [] } }), 'components.remover.limit.cpu', /a list is not a quantity/],
    ['a tag that YAML reads as a number', components('remover', { image: { tag: 1.4 } }), 'components.remover.image.tag', /1\.4.+quotes/],
    [
      'another volume',
      components('scanner', { volumes: [{ name: 'a', emptyDir: {} }] }),
      'components.scanner.volumes[0].emptyDir',
      /unknown/,
    ],
    [
      'a volume at a relative path',
      components('scanner', { volumes: [{ name: 'a', hostPath: { path: 'etc' } }] }),
      'components.scanner.volumes[0].hostPath.path',
      /"etc" is not an absolute path/,
    ],
    ['a scanner config that is no text', components('scanner', { config: { severities: [] } }), 'components.scanner.config', /config: \|/],
    ['a scanner config that is no YAML', scanner('{'), 'components.scanner.config', /not YAML/],
    ['a scanner config that is no mapping', scanner('[]'), 'components.scanner.config', /a list is not a mapping/],
    [
      'an unknown severity',
      scanner({ vulnerabilities: { severities: ['HIGH', 'SEVERE'] } }),
      'components.scanner.config.vulnerabilities.severities[1]',
      /"SEVERE".+CRITICAL, HIGH, MEDIUM, LOW/,
    ],
    [
      'severities as a text',
      scanner({ vulnerabilities: { severities: 'HIGH' } }),
      'components.scanner.config.vulnerabilities.severities',
      /"HIGH" is not a list/,
    ],
    [
      'no severity',
      scanner({ vulnerabilities: { severities: [] } }),
      'components.scanner.config.vulnerabilities.severities',
      /empty.+CRITICAL/,
    ],
    [
      'a package type',
      scanner({ vulnerabilities: { types: ['rpm'] } }),
      'components.scanner.config.vulnerabilities.types[0]',
      /"rpm".+os, library/,
    ],
    [
      'a status',
      scanner({ vulnerabilities: { ignoredStatuses: ['wontfix'] } }),
      'components.scanner.config.vulnerabilities.ignoredStatuses[0]',
      /"wontfix".+will_not_fix/,
    ],
    [
      'security checks without vulnerabilities',
      scanner({ vulnerabilities: { securityChecks: ['secret'] } }),
      'components.scanner.config.vulnerabilities.securityChecks',
      /lacks vuln/,
    ],
    [
      'severities beside the vulnerabilities',
      scanner({ severities: ['HIGH'] }),
      'components.scanner.config.severities',
      /vulnerabilities\.severities/,
    ],
    ['a time-out of nothing', scanner({ timeout: { total: '0' } }), 'components.scanner.config.timeout.total', /longer than zero/],
  ];
  test.each(cases)('%s', (_name, config, path, message) => {
    expect(errorsOf(config)).toContainEqual({ path, message: expect.stringMatching(message) as string });
  });

  it('all at once', () => {
    const config = made(
      { logLevel: 'loud', schedulling: {}, profile: { prot: 1, enabled: 1 } },
      { scanner: { enabled: 'no', config: stringify({ cachDir: 'a', timeout: { total: 1 } }) }, colector: {} },
    );
    expect(
      errorsOf(config)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([
      'components.colector',
      'components.scanner.config.cachDir',
      'components.scanner.config.timeout.total',
      'components.scanner.enabled',
      'manager.logLevel',
      'manager.profile.enabled',
      'manager.profile.prot',
      'manager.schedulling',
    ]);
  });

  it('in short, however long the value', () => {
    const [error] = errorsOf(made({ logLevel: 'x'.repeat(1_000_000), ['k'.repeat(1_000_000)]: 1 }));
    expect(error?.message.length).toBeLessThan(200);
    expect(errorsOf(made({ ['k'.repeat(1_000_000)]: 1 }))[0]?.path.length).toBeLessThan(100);
  });

  it.each([null, undefined, 1, 'text', true, [], new Date(0)])('%s is no configuration', (value) => {
    expect(errorsOf(value)).not.toEqual([]);
  });
});
