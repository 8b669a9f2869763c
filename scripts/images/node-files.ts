import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MULTIARCH, ensurePackages } from '../../lab/debian-packages.ts';
import { runCommand } from '../../lab/run-command.ts';
import { IMAGE_PATHS, type PartFiles, type PartInput } from './image-parts.ts';
import { readVersion } from './read-version.ts';

/** The Node of the locked dependencies, without the symbols that only a debugger reads, which are a tenth of it. */
export async function nodeFiles({ root, onProgress }: PartInput): Promise<PartFiles> {
  const files = {
    [IMAGE_PATHS.node]: { content: await strip(nodeBinary(root), onProgress), mode: 0o755 },
    'usr/share/doc/nodejs/copyright': await readFile(join(packageFolder(root), 'LICENSE')),
  };
  return { files, createdBy: `Node ${await readVersion(packageFolder(root))}` };
}

/** For this machine's kind of processor: npm installs no other. */
export function nodeBinary(root: string): string {
  return join(packageFolder(root), 'bin/node');
}

function packageFolder(root: string): string {
  return join(root, 'node_modules', `node-linux-${process.arch}`);
}

async function strip(binary: string, onProgress: (line: string) => void): Promise<Buffer> {
  const packages = [`binutils-${MULTIARCH.replace('_', '-')}`, 'libbinutils', 'libzstd1', 'zlib1g'];
  const binutils = await ensurePackages('-binutils', packages, onProgress);
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-strip-'));
  try {
    const stripped = join(folder, 'node');
    await copyFile(binary, stripped);
    const env = { LD_LIBRARY_PATH: ['usr/lib', 'lib'].map((path) => join(binutils, path, MULTIARCH)).join(':') };
    await runCommand(join(binutils, 'usr/bin', `${MULTIARCH}-strip`), ['--strip-all', stripped], { env });
    return await readFile(stripped);
  } finally {
    await rm(folder, { recursive: true });
  }
}
