import { statfs } from 'node:fs/promises';
import type { FilesystemUsage } from '../api/inventory.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/**
 * The filesystem that the runtime keeps images on. The runtime tells where that is and how much the images take, but not how much there
 * is: that is read from the mountpoint, and null when it is not visible from here, as in a container without that mount.
 */
export async function readImageFilesystem(connection: RuntimeConnection, signal: AbortSignal): Promise<FilesystemUsage | null> {
  const answer = await connection.call('ImageFsInfo', signal, (options) => connection.images.imageFsInfo({}, options));
  const mountpoint = answer.imageFilesystems[0]?.fsId?.mountpoint ?? '';
  return mountpoint === '' ? null : readFilesystem(mountpoint);
}

async function readFilesystem(mountpoint: string): Promise<FilesystemUsage | null> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(mountpoint);
    // As df and the kubelet: what is reserved for root is neither used nor available.
    return { mountpoint, usedBytes: (blocks - bfree) * bsize, availableBytes: bavail * bsize, capacityBytes: blocks * bsize };
  } catch {
    return null;
  }
}
