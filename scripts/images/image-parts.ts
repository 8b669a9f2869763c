import type { Files } from '../../lab/build-image.ts';

/**
 * What the images are made of, each part a layer of its own, from what changes least to what changes most: a new release is a new `program`, a
 * fix in glibc a new `system`.
 */
export const IMAGE_PARTS = ['system', 'node', 'trivy', 'program'] as const;
export type ImagePart = (typeof IMAGE_PARTS)[number];

/** The parts of each image, lowest layer first. */
export const IMAGES = {
  'image-cleaner': ['system', 'node', 'program'],
  'image-cleaner-scanner': ['system', 'node', 'trivy', 'program'],
} as const satisfies Readonly<Record<string, readonly ImagePart[]>>;
export type ImageName = keyof typeof IMAGES;

/** The files of a part, and what the image's history says of it. */
export interface PartFiles {
  readonly files: Files;
  readonly createdBy: string;
}

export interface PartInput {
  /** The project's folder, with its dependencies installed; for `program`, with `dist/` built. */
  readonly root: string;
  readonly onProgress: (line: string) => void;
}

/** Where things are in the images. */
export const IMAGE_PATHS = { node: 'usr/bin/node', trivy: 'usr/bin/trivy', commands: 'usr/bin', program: 'usr/lib/image-cleaner' } as const;
