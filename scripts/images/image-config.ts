import type { ImageSpec } from '../../lab/build-image.ts';
import type { ImageName } from './image-parts.ts';
import { IMAGE_ENVIRONMENT } from './node-options.ts';

/** A user of no name on any node. Worker pods run as root (`runAsUser: 0`), since the runtime's socket is root's. */
export const NOBODY = 65532;

const TITLES: Readonly<Record<ImageName, readonly [title: string, description: string]>> = {
  'image-cleaner': ['Image Cleaner', 'Keeps the images on Kubernetes nodes clean: controller, collector, remover and the command line.'],
  'image-cleaner-scanner': [
    'Image Cleaner with Trivy',
    'Keeps the images on Kubernetes nodes clean: the scanner, and all that is in image-cleaner.',
  ],
};

export interface Release {
  readonly version: string;
  /** The commit, where one is given. */
  readonly revision: string | null;
}

/** The configuration of an image; that in `deploy/image/Dockerfile` says the same. */
export function imageConfig(name: ImageName, { version, revision }: Release): Required<NonNullable<ImageSpec['config']>> {
  const [title, description] = TITLES[name];
  return {
    entrypoint: ['/usr/bin/image-cleaner'],
    env: Object.entries(IMAGE_ENVIRONMENT).map((pair) => pair.join('=')),
    user: `${String(NOBODY)}:${String(NOBODY)}`,
    workingDirectory: '/',
    labels: {
      'org.opencontainers.image.title': title,
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': version,
      ...(revision === null ? {} : { 'org.opencontainers.image.revision': revision }),
    },
  };
}
