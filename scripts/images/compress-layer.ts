import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import { archiveFiles, digestOf, layerOf, type Compression, type Layer } from '../../lab/build-image.ts';
import { cachedDirectory } from '../../lab/cache-directory.ts';
import type { PartFiles } from './image-parts.ts';

const ZSTD_LEVEL = 19;
const GZIP_LEVEL = 9;
/** The same files give the same layer, byte by byte, with the same release of Node (whose zlib and zstd it is). */
export async function compressLayer({ files, createdBy }: PartFiles, options: CompressOptions): Promise<Layer> {
  const { compression, isKept, onProgress } = options;
  const archive = archiveFiles(files);
  const make = async (): Promise<Buffer> => {
    onProgress(`Compressing ${createdBy} ...`);
    return await compress(archive, compression);
  };
  const blob = isKept ? await keep(`layer-${hexOf(archive)}-${COMPRESSORS[compression]}`, make) : await make();
  return { ...layerOf(archive, { blob, compression }), createdBy };
}

export interface CompressOptions {
  readonly compression: Compression;
  /** Compressing takes seconds, or a minute: with this, it is done once for one content. */
  readonly isKept: boolean;
  readonly onProgress: (line: string) => void;
}

function hexOf(archive: Buffer): string {
  return digestOf(archive).slice('sha256:'.length);
}

async function keep(name: string, make: () => Promise<Buffer>): Promise<Buffer> {
  const directory = await cachedDirectory(name, async (making) => {
    await writeFile(join(making, 'blob'), await make());
  });
  return await readFile(join(directory, 'blob'));
}

const COMPRESSORS: Readonly<Record<Compression, string>> = {
  gzip: `gzip-${String(GZIP_LEVEL)}-${process.versions.zlib}`,
  zstd: `zstd-${String(ZSTD_LEVEL)}-${process.versions['zstd'] ?? process.version}`,
};

async function compress(archive: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === 'gzip') return await promisify(gzip)(archive, { level: GZIP_LEVEL });
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  return await promisify(zstdCompress)(archive, { params, pledgedSrcSize: archive.length });
}
