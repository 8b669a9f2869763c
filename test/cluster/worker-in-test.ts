import { buildImage, importImages, type Image } from '../../lab/images.ts';
import { connectNode } from '../../lab/real-cluster.ts';
import { busyboxLayer } from '../../lab/sample-images.ts';
import type { NodeFacts } from '../../lab/cluster.ts';

/** As our own worker ends: with its totals in the termination log, and an exit code. What it does in between, its environment says. */
const SCRIPT = `#!/bin/busybox sh
trap 'exit 143' TERM
/bin/busybox sleep "\${RUN_SECONDS:-0}" & wait $!
code=0
case " \${FAIL_ON:-} " in *" $NODE_NAME "*) code=1 ;; esac
[ "\${FAIL_PROGRAM:-$1}" = "$1" ] || code=0
if [ "$code" = 0 ]; then message=null; else message='"it was told to fail"'; fi
echo "{\\"state\\":\\"completed\\",\\"message\\":$message,\\"removed\\":2,\\"reclaimedBytes\\":1000}" >/dev/termination-log
exit "$code"
`;

/** A worker image that runs without any of our programs. */
export async function workerImage(name: string, env: Readonly<Record<string, string>> = {}): Promise<Image> {
  return buildImage({
    refs: [workerReference(name)],
    layers: [await busyboxLayer(), { files: { 'usr/bin/worker': { content: SCRIPT, mode: 0o755 } } }],
    config: {
      entrypoint: ['/usr/bin/worker'],
      env: ['PATH=/bin:/usr/bin', ...Object.entries(env).map(([key, value]) => `${key}=${value}`)],
    },
  });
}

export function workerReference(name: string): string {
  return `docker.io/test/worker:${name}`;
}

export async function importOnNodes(nodes: readonly NodeFacts[], images: readonly Image[]): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      const containerd = connectNode(node);
      await importImages(containerd, images);
      containerd.cri.close();
    }),
  );
}
