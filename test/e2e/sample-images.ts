import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage, type Image } from '../../lab/images.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';
import { buildEraserScanner } from '../eraser-scanner/build.ts';

export const library = (name: string): string => `docker.io/library/${name}`;

const alpine = (ref: string, release: string, openssl: string): Parameters<typeof buildImage>[0]['layers'][number] => ({
  files: { ...alpineFiles(release, [{ name: 'openssl', version: openssl }]), 'app/content': ref },
});

/** Each different from the others of its kind, and small. The vulnerabilities are those of `demoDatabase`. */
export const vulnerable = (ref: string): Image => buildImage({ refs: [ref], layers: [alpine(ref, '3.22.0', '3.0.0-r0')] });
export const healthy = (ref: string): Image => buildImage({ refs: [ref], layers: [alpine(ref, '3.22.0', '3.5.1-r0')] });
export const endOfLife = (ref: string): Image => buildImage({ refs: [ref], layers: [alpine(ref, '3.15.0', '3.5.1-r0')] });

/** One that a pod can run; vulnerable, too. */
export async function runnable(ref: string): Promise<Image> {
  return buildImage({
    refs: [ref],
    layers: [await busyboxLayer(), alpine(ref, '3.22.0', '3.0.0-r0')],
    config: { entrypoint: RUN_UNTIL_STOPPED },
  });
}

/** A scanner made for Eraser's template that rejects one image by its name, and nothing else. */
export async function customScanner(ref: string, rejected: string): Promise<Image> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-scanner-'));
  try {
    const program = await readFile(await buildEraserScanner(join(folder, 'scanner')));
    return buildImage({
      refs: [ref],
      layers: [{ files: { scanner: { content: program, mode: 0o755 } } }],
      config: { entrypoint: ['/scanner'], env: [`REJECT=${rejected}`] },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
