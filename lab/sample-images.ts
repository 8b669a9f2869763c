import { readFile } from 'node:fs/promises';
import type { Image, Layer } from './build-image.ts';
import { buildImage, buildLayer } from './build-image.ts';
import { PAUSE_REFERENCE } from './containerd-config.ts';
import { ensureBusybox } from './tools.ts';

/** The one layer that all images share which must run: busybox, statically linked. */
export async function busyboxLayer(): Promise<Layer> {
  return buildLayer({ files: { 'bin/busybox': { content: await readFile(await ensureBusybox()), mode: 0o755 } } });
}

/** Runs until it is told to stop, and then stops at once: as process 1 a shell ignores the signal unless it traps it. */
export const RUN_UNTIL_STOPPED = [
  '/bin/busybox',
  'sh',
  '-c',
  'trap "exit 0" TERM INT; while :; do /bin/busybox sleep 3600 & wait $!; done',
];

/** The image of every pod's sandbox, under the name that the private containerd is configured with. */
export async function pauseImage(): Promise<Image> {
  return buildImage({ refs: [PAUSE_REFERENCE], layers: [await busyboxLayer()], config: { entrypoint: RUN_UNTIL_STOPPED } });
}
