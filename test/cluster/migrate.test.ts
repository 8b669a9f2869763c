import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import * as z from 'zod';
import { kubectlWith, type Kubectl } from '../../lab/kubectl.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { V1ALPHA3 } from '../fakes/eraser-configs.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/image-cleaner.mjs', import.meta.url));
const CRDS = fileURLToPath(new URL('../fakes/eraser-crds.yaml', import.meta.url));
const NAMESPACE = 'migrated';
const NODE = 'migrated-node';

const checkSchema = z.object({
  isBlocked: z.boolean(),
  exclusionEntries: z.number(),
  listedImages: z.array(z.string()),
  findings: z.array(z.object({ kind: z.string(), about: z.string(), what: z.string(), next: z.string().nullable() })),
});

// What Eraser's chart and manifest make, on a real API server; nothing of it has to run.
describe.skipIf(lacksNodeAccess())('image-cleaner cluster migrate --check', () => {
  let home: string;
  let kubectl: Kubectl;

  const done = async (args: readonly string[], input?: object): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const apply = (object: object): Promise<string> => done(['apply', '-f', '-'], object);
  const configMap = (name: string, data: Record<string, string>, labels: Record<string, string> = {}): object => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: NAMESPACE, labels },
    data,
  });
  const exclude = (excluded: readonly string[]): Promise<string> =>
    apply(configMap('excluded', { 'list.json': JSON.stringify({ excluded }) }, { 'eraser.sh/exclude.list': 'true' }));
  const configure = (config: object): Promise<string> =>
    apply(configMap('eraser-manager-config', { 'controller_manager_config.yaml': JSON.stringify(config) }));

  async function check(): Promise<z.output<typeof checkSchema> & { readonly code: number }> {
    const run = await kubectl(['image-cleaner', 'migrate', '--check', '-n', NAMESPACE, '-o', 'json']);
    return { ...checkSchema.parse(JSON.parse(run.stdout)), code: run.code };
  }

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'image-cleaner-test-migrate-'));
    await symlink(PROGRAM, join(home, 'kubectl-image_cleaner'));
    kubectl = await kubectlWith({ kubeconfig: inject('kubeconfig'), home, plugins: [home, dirname(process.execPath)] });
    await done(['apply', '-f', CRDS]);
    await vi.waitFor(() => done(['get', 'imagelists']), { timeout: 20_000, interval: 200 });
    await done(['create', 'namespace', NAMESPACE]);
    const labels = { 'control-plane': 'controller-manager' };
    const containers = [{ name: 'manager', image: 'ghcr.io/eraser-dev/eraser-manager:v1.4.1' }];
    const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
    await apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'eraser-controller-manager', namespace: NAMESPACE }, spec });
    await apply({ apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name: 'imagelist' }, spec: { images: ['alpine:3.7.3'] } });
    await apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
    const images = [
      { names: ['docker.io/library/nginx-foo:1', `docker.io/library/nginx-foo@sha256:${'a'.repeat(64)}`], sizeBytes: 1 },
      { names: ['docker.io/library/nginx:1'], sizeBytes: 1 },
    ];
    await done(['patch', 'node', NODE, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status: { images } })]);
    await configure(V1ALPHA3);
    await exclude(['docker.io/library/nginx:*', 'ghcr.io/acme/*']);
  });
  afterAll(async () => {
    await done(['delete', 'node', NODE, '--ignore-not-found']);
    await done(['delete', 'namespace', NAMESPACE, '--wait=false', '--ignore-not-found']);
    await done(['delete', 'imagelists', '--all']);
    await rm(home, { recursive: true, force: true });
  });

  test('tells what will differ, and changes nothing', async () => {
    const versions = [
      'get',
      '-n',
      NAMESPACE,
      'deployments,configmaps,imagelists,crd',
      '-o',
      'jsonpath={.items[*].metadata.resourceVersion}',
    ];
    const before = await done(versions);
    const { code, isBlocked, exclusionEntries, listedImages, findings } = await check();
    expect({ code, isBlocked, exclusionEntries, listedImages }).toEqual({
      code: 0,
      isBlocked: false,
      exclusionEntries: 2,
      listedImages: ['alpine:3.7.3'],
    });
    expect(findings).toContainEqual({
      kind: 'differs',
      about: 'exclusions',
      what: '"docker.io/library/nginx:*" in excluded/list.json keeps docker.io/library/nginx-foo:1 for Eraser; for Image Cleaner only until an automatic run has completed',
      next: "image-cleaner cluster exclude add 'docker.io/library/nginx-foo:*'",
    });
    const [ofExclusions, ofConfiguration] = ['exclusions', 'configuration'].map((about) =>
      findings.filter((finding) => finding.about === about),
    );
    expect(ofExclusions).toHaveLength(1);
    expect(ofConfiguration?.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^components\.scanner\.image: ghcr\.io\/eraser-dev\/eraser-trivy-scanner:v1\.4\.1 does not run/),
        expect.stringMatching(/^components\.remover\.limit\.mem: raised from 30Mi/),
      ]),
    );
    expect(await done(versions)).toBe(before);
  });

  test('says what has to be seen to first', async () => {
    await configure({ ...V1ALPHA3, unknownKey: 1 });
    await exclude(['ghcr.io']);
    const { code, isBlocked, findings } = await check();
    expect({ code, isBlocked }).toEqual({ code: 1, isBlocked: true });
    const blocking = findings.filter(({ kind }) => kind === 'blocks').map(({ about, what, next }) => [about, what, next]);
    expect(blocking).toEqual([
      ['configuration', expect.stringContaining('unknownKey'), expect.stringContaining('eraser-manager-config')],
      ['exclusions', expect.stringContaining('"ghcr.io"'), `kubectl edit configmap -n ${NAMESPACE} excluded`],
    ]);
    await configure(V1ALPHA3);
    await exclude(['ghcr.io/*']);
    expect(await check()).toMatchObject({ code: 0, isBlocked: false });
  });
});
