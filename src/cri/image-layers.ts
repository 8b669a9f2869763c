import { createHash } from 'node:crypto';
import type { RuntimeConnection } from './runtime-connection.ts';
import { imageDiffIds } from './verbose-info.ts';

/** The digests of an image's uncompressed layers from the base up; null when the runtime does not have the image or does not tell. */
export async function readDiffIds(connection: RuntimeConnection, imageId: string, signal: AbortSignal): Promise<readonly string[] | null> {
  const answer = await connection.call('ImageStatus', signal, (options) =>
    connection.images.imageStatus({ image: { image: imageId }, verbose: true }, options),
  );
  if (answer.image === undefined) return null;
  return imageDiffIds(answer.info['info']);
}

/** The names of the snapshots that the layers unpack to, each a digest over all layers up to it (OCI image specification, "ChainID"). */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}`);
  }
  return chain;
}
