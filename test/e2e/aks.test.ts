import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { defaultConfiguration } from '../../src/installation/default-configuration.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { firstNode, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { healthy, library } from './sample-images.ts';

const ALPINE = library('alpine:3.7.3');
const PYTHON = library('python:alpine3.18');

/** As documented for AKS, word for word. */
const APPLY_LIST = `cat <<EOF | kubectl apply -f -
apiVersion: eraser.sh/v1
kind: ImageList
metadata:
  name: imagelist
spec:
  images:
    - docker.io/library/alpine:3.7.3
EOF`;
const DELETE_LIST = 'kubectl delete ImageList imagelist';
const EDIT_LIST = 'kubectl edit ImageList imagelist';
const SYSTEM_EXCLUSION = 'kubectl get -n kube-system configmap eraser-system-exclusion -o yaml';
const EXCLUDE = `cat > sample.json <<EOF
{"excluded": ["excluded-image-name"]}
EOF
kubectl create configmap excluded --from-file=sample.json --namespace=kube-system
kubectl label configmap excluded eraser.sh/exclude.list=true -n kube-system`;
const VERSION = 'kubectl describe configmap -n kube-system eraser-manager-config | grep tag -C 3';

describe.skipIf(lacksCluster())('the commands of the AKS documentation', () => {
  let site: Installation;
  let node: InspectedNode;
  let folder: string;

  beforeAll(async () => {
    site = await connectSite({ namespace: 'kube-system' });
    node = firstNode(site);
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-aks-'));
    await symlink(inject('prepared').cluster.kubectl, join(folder, 'kubectl'));
  });
  afterAll(async () => {
    await site.do(['delete', 'configmap', '-n', 'kube-system', 'excluded', '--ignore-not-found']);
    await site.remove();
    await site.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  /** As an operator types it, in an empty folder. */
  async function shell(script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { kubeconfig } = inject('prepared').cluster;
    const path = [folder, dirname(process.execPath), '/usr/bin', '/bin'].join(':');
    const options = { cwd: folder, env: { PATH: path, HOME: folder, KUBECONFIG: kubeconfig, ...env } };
    return (await promisify(execFile)('bash', ['-ec', script], options)).stdout;
  }

  test('logs of the three containers, while the worker pod lives', async () => {
    await node.import(Array.from({ length: 40 }, (_, at) => healthy(library(`scanned:${String(at)}`))));
    const installed = site.install(defaultConfiguration(packageJson.version));
    const pod = await vi.waitFor(
      async () => {
        const found = (await site.workerPods()).find(({ metadata }) => metadata.name.startsWith(`eraser-${node.name}-`));
        expect(found?.status.phase).toBe('Running');
        return found?.metadata.name ?? '';
      },
      { ...SOON, interval: 20 },
    );
    const logs = ['collector', 'trivy-scanner', 'remover'].map((container) =>
      vi.waitFor(async () => {
        const shown = await shell(`kubectl logs -n kube-system ${pod} -c ${container}`);
        expect(shown).not.toBe('');
        return shown;
      }, SOON),
    );
    for (const log of await Promise.all(logs)) expect(log).toMatch(/^\{"time":/);
    await installed;
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
  });

  test('an ImageList: applied, its image goes', async () => {
    await node.import([healthy(ALPINE)]);
    expect(await shell(APPLY_LIST)).toContain('imagelist.eraser.sh/imagelist created');
    await site.untilListIsDone();
    expect(await node.tags()).not.toContain(ALPINE);
  });

  test('the same image once more, by a list that is deleted and made again', async () => {
    await node.import([healthy(ALPINE)]);
    await shell(DELETE_LIST);
    await shell(APPLY_LIST);
    await site.untilListIsDone();
    expect(await node.tags()).not.toContain(ALPINE);
  });

  test('another image, by an edited list', async () => {
    await node.import([healthy(PYTHON)]);
    const editor = join(folder, 'editor');
    await writeFile(editor, `#!/bin/sh\nsed -i 's#^  images:#  images:\\n  - ${PYTHON}#' "$1"\n`);
    await chmod(editor, 0o755);
    await shell(EDIT_LIST, { EDITOR: editor });
    await site.untilListIsDone();
    expect(await node.tags()).not.toContain(PYTHON);
  });

  test("the system's exclusion list can be read", async () => {
    expect(await shell(SYSTEM_EXCLUSION)).toContain('excluded');
  });

  test('an exclusion list: what it names stays', async () => {
    await node.import([healthy(library('excluded-image-name:1')), healthy(library('other:1'))]);
    await shell(EXCLUDE);
    await site.applyList(['*']);
    await site.untilListIsDone();
    expect(await node.tags()).toContain(library('excluded-image-name:1'));
    expect(await node.tags()).not.toContain(library('other:1'));
  });

  test('the version is in the configmap', async () => {
    const shown = await shell(VERSION);
    expect(shown.match(/tag: (.*)/g)).toEqual(Array(3).fill(`tag: ${packageJson.version}`));
  });
});
