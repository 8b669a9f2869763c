import { randomBytes } from 'node:crypto';
import type { Image } from './build-image.ts';
import { buildImage, buildLayer } from './build-image.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from './sample-images.ts';
import { alpineFiles, debianFiles, npmFiles } from './sample-packages.ts';
import { declareTrivyDatabase, type TrivyDatabase } from './trivy-database.ts';

/** The sample images of `npm start`: one of each kind that Image Cleaner decides on. */
export interface DemoImages {
  readonly all: readonly Image[];
  /** A running container uses it; it is vulnerable too. */
  readonly running: Image;
  /** A stopped container uses it. */
  readonly stopped: Image;
  /** Another name for an image that has one already. */
  readonly secondTag: { readonly of: string; readonly tag: string };
}

/** The exclusion that the demo cleans with; one of its images matches. */
export const DEMO_EXCLUSION = 'ghcr.io/acme/*';

export async function demoImages(): Promise<DemoImages> {
  const busybox = await busyboxLayer();
  /** Different in every layer, as programs are: only `runtime` is shared. */
  const app = (): Buffer => randomBytes(1 << 20);
  const runnable = { entrypoint: RUN_UNTIL_STOPPED };
  const alpine = (release: string, openssl: string) =>
    buildLayer({ files: { ...alpineFiles(release, [{ name: 'openssl', version: openssl }]), 'usr/bin/app': app() } });
  const runtime = buildLayer({ files: { 'usr/lib/runtime.so': randomBytes(6 << 20) }, gzip: true });
  const image = (ref: string, layers: Image['layers'], config?: { readonly entrypoint: readonly string[] }): Image =>
    buildImage({ refs: [ref], layers, ...(config === undefined ? {} : { config }) });

  const running = image('docker.io/library/shop:2.1', [busybox, alpine('3.22.0', '3.0.0-r0')], runnable);
  const stopped = image('docker.io/library/migrate:7', [busybox, alpine('3.22.0', '3.5.1-r0')], runnable);
  const node = (version: string) => buildLayer({ files: { ...npmFiles([{ name: 'lodash', version }]), 'app/bundle': app() } });
  const debian = (release: string, version: string) =>
    buildLayer({ files: { ...debianFiles(release, [{ name: 'zlib', version }]), 'usr/bin/app': app() } });
  return {
    running,
    stopped,
    secondTag: { of: 'docker.io/library/blog:5', tag: 'docker.io/library/blog:stable' },
    all: [
      running,
      stopped,
      image('ghcr.io/acme/billing:1', [alpine('3.22.0', '3.0.0-r0')]),
      image('docker.io/library/web:1.0', [runtime, alpine('3.22.0', '3.0.0-r0')]),
      image('docker.io/library/web:1.1', [runtime, alpine('3.22.0', '3.5.1-r0')]),
      image('docker.io/library/reports:3', [runtime, debian('12.5', '1.2.11-1')]),
      image('docker.io/library/proxy:9', [debian('12.5', '1.3.1-1')]),
      image('docker.io/library/blog:5', [node('4.17.20')]),
      image('docker.io/library/chat:2', [node('4.17.21')]),
      image('docker.io/library/legacy:1', [alpine('3.15.0', '3.5.1-r0')]),
      image('docker.io/library/cache:4', [alpine('3.22.0', '3.4.9-r0')]),
    ],
  };
}

/** Vulnerabilities in the sample packages, made up, one of each severity. */
export function demoDatabase(): TrivyDatabase {
  return declareTrivyDatabase([
    { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-10001', fixedVersion: '3.0.1-r0', severity: 'CRITICAL' },
    { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', id: 'CVE-2026-10002', fixedVersion: '3.5.0-r0', severity: 'MEDIUM' },
    { ecosystem: 'debian', release: '12', packageName: 'zlib', id: 'CVE-2026-20001', fixedVersion: '1.2.13-1', severity: 'HIGH' },
    { ecosystem: 'npm', packageName: 'lodash', id: 'CVE-2026-30001', fixedVersion: '4.17.21', severity: 'LOW' },
  ]);
}
