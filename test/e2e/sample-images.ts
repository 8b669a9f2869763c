import { buildImage, type Image } from '../../lab/images.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';

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
