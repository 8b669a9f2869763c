import { describe } from 'vitest';
import { startContainerd } from '../../lab/containerd.ts';
import { runningContainer } from '../../lab/containers.ts';
import { buildImage, importImages } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { busyboxLayer } from '../../lab/sample-images.ts';
import { CONTAINERD_VERSIONS } from '../../lab/tools.ts';
import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import { nodeRuntimeContract } from '../contract/node-runtime-contract.ts';

for (const version of CONTAINERD_VERSIONS) {
  describe.skipIf(lacksRealPart(`containerd-${version}`))(`the real runtime, containerd ${version}`, () => {
    nodeRuntimeContract(async () => {
      const containerd = await startContainerd({ version });
      const layer = await busyboxLayer();
      const [used, unused] = ['used', 'unused'].map((name) =>
        buildImage({ refs: [`docker.io/library/${name}:1`], layers: [layer, { files: { 'app/name': name } }] }),
      ) as [ReturnType<typeof buildImage>, ReturnType<typeof buildImage>];
      await importImages(containerd, [used, unused]);
      await runningContainer(containerd, { image: 'docker.io/library/used:1' });
      const runtime = await connectToRuntime({ socketPath: containerd.socket }, new AbortController().signal);
      return {
        runtime,
        usedImageId: used.id,
        usedImageTag: 'docker.io/library/used:1',
        unusedImageId: unused.id,
        close: async () => {
          runtime.close();
          await containerd.stop();
        },
      };
    });
  });
}
