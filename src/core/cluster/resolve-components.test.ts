import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHART, V1ALPHA1, V1ALPHA2, V1ALPHA3 } from '../../../test/fakes/eraser-configs.ts';
import { configOf, eraserConfig, OWN_CONTAINERS } from '../../../test/fakes/cluster.ts';
import type { EraserConfig } from '../../api/eraser-config.ts';
import { resolveComponents, type ComponentNotice, type Components } from './resolve-components.ts';
import { runtimeSockets } from './runtime-sockets.ts';

const MiB = 1024 * 1024;

function resolve(config: EraserConfig): { components: Components; notices: readonly ComponentNotice[] } {
  const resolved = resolveComponents(config, OWN_CONTAINERS);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.errors));
  return resolved;
}

function errorsOf(config: EraserConfig): string[] {
  const resolved = resolveComponents(config, OWN_CONTAINERS);
  return resolved.ok ? [] : resolved.errors.map(({ path, message }) => `${path}: ${message}`);
}

const withScanner = (fields: object): EraserConfig => eraserConfig({}, { scanner: { enabled: true, ...fields } });

describe('resolveComponents', () => {
  test.each([
    ['v1alpha1', V1ALPHA1],
    ['v1alpha2', V1ALPHA2],
    ['v1alpha3', V1ALPHA3],
    ['chart', CHART],
  ])('no container of Eraser runs, by the configuration of %s', (_version, written) => {
    const { components } = resolve(configOf(written));
    expect(JSON.stringify(components)).not.toContain('eraser-dev');
    expect(components.scanner.kind).toBe('trivy');
  });

  test.each([
    ['none named', undefined, 'trivy'],
    ["Eraser's", 'ghcr.io/eraser-dev/eraser-trivy-scanner', 'trivy'],
    ["Azure's copy of it", 'mcr.microsoft.com/oss/v2/eraser/eraser-trivy-scanner', 'trivy'],
    ['a copy of it in a closed network', 'registry.example:5000/mirror/eraser-trivy-scanner', 'trivy'],
    ["the user's own", 'ghcr.io/acme/scanner', 'custom'],
    ["the user's own, of a like name", 'ghcr.io/acme/my-eraser-trivy-scanner', 'custom'],
  ])('the scanner: %s', (_case, repo, kind) => {
    const { components, notices } = resolve(withScanner({ image: { repo, tag: 'v1' } }));
    expect(components.scanner.kind).toBe(kind);
    const replaced = notices.filter(({ reason }) => reason === 'ImageReplaced');
    expect(replaced).toHaveLength(kind === 'trivy' && repo !== undefined ? 1 : 0);
  });

  test('says what does not run, and what does in its place', () => {
    expect(resolve(configOf(V1ALPHA3)).notices).toEqual([
      {
        reason: 'ImageReplaced',
        path: 'components.collector.image',
        message: 'ghcr.io/eraser-dev/collector:v1.4.1 does not run; registry.example/image-cleaner-worker:1.0.0 does its work',
      },
      {
        reason: 'ImageReplaced',
        path: 'components.scanner.image',
        message: 'ghcr.io/eraser-dev/eraser-trivy-scanner:v1.4.1 does not run; registry.example/image-cleaner-scanner:1.0.0 does its work',
      },
      {
        reason: 'ImageReplaced',
        path: 'components.remover.image',
        message: 'ghcr.io/eraser-dev/remover:v1.4.1 does not run; registry.example/image-cleaner-worker:1.0.0 does its work',
      },
      { reason: 'MemoryLimitRaised', path: 'components.remover.limit.mem', message: 'raised from 30Mi to 256Mi, which the remover needs' },
    ]);
  });

  test('says nothing of an image that is ours', () => {
    const config = eraserConfig(
      {},
      { remover: { image: { repo: 'registry.example/image-cleaner-worker', tag: 'old' }, limit: { mem: '1Gi' } } },
    );
    const { components, notices } = resolve(config);
    expect(notices).toEqual([]);
    expect(components.remover.image).toBe('registry.example/image-cleaner-worker:1.0.0');
  });

  test('a scanner that is off does not run, whatever its image', () => {
    const config = eraserConfig({}, { scanner: { enabled: false, image: { repo: 'ghcr.io/acme/scanner' } } });
    expect(resolve(config).components.scanner).toEqual({ kind: 'off' });
  });

  test.each([
    ['repo and tag', { repo: 'ghcr.io/acme/scanner', tag: 'v2' }, 'ghcr.io/acme/scanner:v2'],
    ['no tag', { repo: 'ghcr.io/acme/scanner' }, 'ghcr.io/acme/scanner'],
    ['an empty tag', { repo: 'ghcr.io/acme/scanner', tag: '' }, 'ghcr.io/acme/scanner'],
    ['a digest, as it is written for Eraser', { repo: 'ghcr.io/acme/scanner@sha256', tag: 'abc' }, 'ghcr.io/acme/scanner@sha256:abc'],
  ])("the image of the user's scanner: %s", (_case, image, expected) => {
    expect(resolve(withScanner({ image })).components.scanner).toMatchObject({ kind: 'custom', image: expected });
  });

  test.each([
    ["Eraser's whole processor, by default", {}, 0],
    ["Eraser's whole processor, written", { cpu: '1000m' }, 0],
    ['another number', { cpu: '250m' }, 0.25],
    ['more', { cpu: 2 }, 2],
  ])('the CPU request of a scanner: %s', (_case, request, cpu) => {
    const custom = { repo: 'ghcr.io/acme/scanner' };
    expect(resolve(withScanner({ request })).components.scanner).toMatchObject({ container: { resources: { request: { cpu } } } });
    expect(resolve(withScanner({ request, image: custom })).components.scanner).toMatchObject({ resources: { request: { cpu } } });
  });

  test.each([
    ['30Mi', '25Mi', 256 * MiB],
    ['256Mi', '25Mi', 256 * MiB],
    ['1Gi', '25Mi', 1024 * MiB],
    ['0', '25Mi', 0],
    ['300Mi', '512Mi', 512 * MiB],
  ])('a memory limit of %s beside a request of %s', (limit, request, expected) => {
    const { components, notices } = resolve(eraserConfig({}, { remover: { limit: { mem: limit }, request: { mem: request } } }));
    expect(components.remover.resources.limit.mem).toBe(expected);
    expect(notices.some(({ path }) => path === 'components.remover.limit.mem')).toBe(['30Mi', '300Mi'].includes(limit));
  });

  test("the memory limit of a user's scanner is the user's", () => {
    const { components, notices } = resolve(withScanner({ image: { repo: 'ghcr.io/acme/scanner' }, limit: { mem: '10Mi' } }));
    expect(components.scanner).toMatchObject({ resources: { limit: { mem: 10 * MiB } } });
    expect(notices.map(({ path }) => path)).not.toContain('components.scanner.limit.mem');
  });

  test('our image named as a scanner is refused: its settings were not read as ours', () => {
    expect(errorsOf(withScanner({ image: { repo: 'registry.example/image-cleaner-scanner', tag: '1' } }))).toEqual([
      `components.scanner.image.repo: "registry.example/image-cleaner-scanner" is Image Cleaner's own image, which runs when no image is named: leave it out`,
    ]);
  });

  test.each([
    [[{ name: 'shared-data', hostPath: { path: '/a' } }], 'volumes[0].name: "shared-data" is the name of a volume of ours'],
    [[{ name: 'exclusions-0', hostPath: { path: '/a' } }], 'volumes[0].name: "exclusions-0" is the name of a volume of ours'],
    [[{ name: 'temporary-remover', hostPath: { path: '/a' } }], 'volumes[0].name: "temporary-remover" is the name of a volume of ours'],
    [
      [
        { name: 'a', hostPath: { path: '/a' } },
        { name: 'a', hostPath: { path: '/b' } },
      ],
      'volumes[1].name: "a" is there twice',
    ],
    [
      [
        { name: 'a', hostPath: { path: '/a/' } },
        { name: 'b', hostPath: { path: '//a' } },
      ],
      'volumes[1].hostPath.path: "//a" is mounted twice',
    ],
    [[{ name: 'a', hostPath: { path: '/var/../etc' } }], 'volumes[0].hostPath.path: "/var/../etc" has ".." in it'],
    [[{ name: 'a', hostPath: { path: '/' } }], 'volumes[0].hostPath.path: "/" would be mounted where the worker has its own files'],
    [[{ name: 'a', hostPath: { path: '/tmp/' } }], 'volumes[0].hostPath.path: "/tmp/" would be mounted where the worker has its own files'],
  ])('refuses volumes that no pod can have: %j', (volumes, expected) => {
    expect(errorsOf(withScanner({ volumes }))).toEqual([`components.scanner.${expected}`]);
    expect(errorsOf(eraserConfig({}, { scanner: { enabled: false, volumes } }))).toEqual([]);
  });
});

describe('runtimeSockets', () => {
  const CONTAINERD = { folder: '/run/containerd', name: 'containerd.sock' };
  const CRIO = { folder: '/run/crio', name: 'crio.sock' };
  const CRI_DOCKERD = { folder: '/run', name: 'cri-dockerd.sock' };
  const K3S = { folder: '/run/k3s/containerd', name: 'containerd.sock' };

  test.each([
    ['containerd', 'unix:///run/containerd/containerd.sock', { containerd: CONTAINERD, crio: CRIO, dockershim: CRI_DOCKERD }],
    ['containerd', 'unix:///run/k3s/containerd/containerd.sock', { containerd: K3S, crio: CRIO, dockershim: CRI_DOCKERD }],
    ['containerd', 'unix:/run/k3s//containerd/containerd.sock', { containerd: K3S, crio: CRIO, dockershim: CRI_DOCKERD }],
    ['crio', 'unix:///var/crio/c.sock', { containerd: CONTAINERD, crio: { folder: '/var/crio', name: 'c.sock' }, dockershim: CRI_DOCKERD }],
    ['dockershim', 'unix:///run/dockershim.sock', { containerd: CONTAINERD, crio: CRIO, dockershim: CRI_DOCKERD }],
    ['dockershim', 'unix:///d/s.sock', { containerd: CONTAINERD, crio: CRIO, dockershim: { folder: '/d', name: 's.sock' } }],
  ] as const)('%s at %s', (name, address, expected) => {
    expect(runtimeSockets({ name, address })).toEqual({ ok: true, value: expected });
  });

  test.each([
    'unix:///containerd.sock',
    'unix:///run/containerd/',
    'unix:///run/../etc/x.sock',
    'unix://',
    'run/x/y.sock',
    'tcp://h:1/a/b',
  ])('refuses %s', (address) => {
    expect(runtimeSockets({ name: 'containerd', address })).toMatchObject({ ok: false, errors: [{ path: 'manager.runtime.address' }] });
  });
});

test('a limit is never below what is asked for, nor below what ours need', () => {
  const quantity = fc.constantFrom('0', '1Mi', '100Mi', '300Mi', '2Gi');
  fc.assert(
    fc.property(quantity, quantity, (request, limit) => {
      const fields = { request: { mem: request }, limit: { mem: limit } };
      const { components } = resolve(eraserConfig({}, { collector: fields, scanner: { enabled: true, ...fields }, remover: fields }));
      const { scanner, collector, remover } = components;
      const ours = [collector, remover, ...(scanner.kind === 'trivy' ? [scanner.container] : [])];
      expect(ours).toHaveLength(3);
      for (const { resources } of ours) {
        if (resources.limit.mem === 0) continue;
        expect(resources.limit.mem).toBeGreaterThanOrEqual(Math.max(resources.request.mem, 256 * MiB));
      }
    }),
  );
});
