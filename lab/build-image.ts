import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { LabError } from './lab-error.ts';
import type { TarEntry } from './tar.ts';
import { makeTar } from './tar.ts';

export type FileContent = string | Buffer | { readonly content: string | Buffer; readonly mode: number } | { readonly link: string };
/**
 * Files by path: `etc/os-release`, `bin/busybox`. The directories above them come by themselves; one that is empty, or has a mode of its own,
 * is an entry with a trailing slash.
 */
export type Files = Readonly<Record<string, FileContent>>;

export interface LayerSpec {
  readonly files: Files;
  readonly gzip?: boolean;
}

/** A layer ready for use. Given to several images, or built twice from equal files, it is one and the same on the node. */
export interface Layer {
  /** Of the blob as it is stored (`sha256:…`). */
  readonly digest: string;
  /** Of the archive before compression. */
  readonly diffId: string;
  readonly mediaType: string;
  readonly blob: Buffer;
  /** What the image's history says of it. */
  readonly createdBy?: string;
}

export interface ImageSpec {
  /** Names in full: `docker.io/library/web:1`. Several are several tags of one image; none makes an image that only has an id. */
  readonly refs: readonly string[];
  readonly layers: readonly (LayerSpec | Layer)[];
  readonly config?: {
    readonly entrypoint?: readonly string[];
    readonly labels?: Readonly<Record<string, string>>;
    readonly env?: readonly string[];
    /** `65532:65532`; root unless given. */
    readonly user?: string;
    readonly workingDirectory?: string;
  };
  readonly created?: Date;
}

export interface Image {
  readonly refs: readonly string[];
  /** The digest of its configuration: what the CRI calls the image id. */
  readonly id: string;
  readonly manifestDigest: string;
  readonly layers: readonly Layer[];
  readonly config: Buffer;
  readonly manifest: Buffer;
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const DEFAULT_MODE = 0o644;
const DIRECTORY_MODE = 0o755;
const LINK_MODE = 0o777;

export function buildLayer(spec: LayerSpec): Layer {
  const archive = archiveFiles(spec.files);
  return spec.gzip === true ? layerOf(archive, { blob: gzipSync(archive), compression: 'gzip' }) : layerOf(archive);
}

/** What a layer is before compression: a tar archive. */
export function archiveFiles(files: Files): Buffer {
  return makeTar(layerEntries(files));
}

export type Compression = 'gzip' | 'zstd';

/** The layer that an archive makes; `compressed` is the same archive as it is to be stored. */
export function layerOf(archive: Buffer, compressed?: { readonly blob: Buffer; readonly compression: Compression }): Layer {
  const blob = compressed?.blob ?? archive;
  const mediaType = compressed === undefined ? LAYER_TYPE : `${LAYER_TYPE}+${compressed.compression}`;
  return { digest: digestOf(blob), diffId: digestOf(archive), mediaType, blob };
}

/** An image as a value: nothing is written. Equal specifications make equal images, down to the digests. */
export function buildImage(spec: ImageSpec): Image {
  const incomplete = spec.refs.find((ref) => !/^[^/]+[.:][^/]*\/.+:[^/]+$/.test(ref));
  if (incomplete !== undefined) {
    throw new LabError({ code: 'bad-image', message: `${incomplete} is not a name in full, such as docker.io/library/web:1` });
  }
  const layers = spec.layers.map((layer) => ('blob' in layer ? layer : buildLayer(layer)));
  const created = (spec.created ?? new Date(0)).toISOString();
  const config = json({
    architecture: PLATFORM.architecture,
    os: PLATFORM.os,
    created,
    config: {
      Entrypoint: spec.config?.entrypoint ?? ['/bin/busybox', 'true'],
      Env: spec.config?.env ?? ['PATH=/bin:/usr/bin'],
      ...(spec.config?.user === undefined ? {} : { User: spec.config.user }),
      ...(spec.config?.workingDirectory === undefined ? {} : { WorkingDir: spec.config.workingDirectory }),
      ...(spec.config?.labels === undefined ? {} : { Labels: spec.config.labels }),
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(({ createdBy }) => ({ created, ...(createdBy === undefined ? {} : { created_by: createdBy }) })),
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: digestOf(config), size: config.length },
    layers: layers.map(({ mediaType, digest, blob }) => ({ mediaType, digest, size: blob.length })),
  });
  return { refs: spec.refs, id: digestOf(config), manifestDigest: digestOf(manifest), layers, config, manifest };
}

/** The machine's own, so that the images unpack and run here. */
export const PLATFORM = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch } as const;

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function layerEntries(files: Files): TarEntry[] {
  const paths = Object.keys(files);
  const parents = paths.flatMap((path) => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index + 1)));
  const implied = [...new Set(parents)].filter((path) => !(path in files));
  const directories = implied.map((path) => ({ path, content: Buffer.alloc(0), mode: DIRECTORY_MODE }));
  const entries = Object.entries(files).map(([path, file]): TarEntry => {
    if (typeof file === 'object' && 'link' in file) return { path, content: Buffer.alloc(0), mode: LINK_MODE, link: file.link };
    const { content, mode } = typeof file === 'object' && 'mode' in file ? file : { content: file, mode: DEFAULT_MODE };
    return { path, content: Buffer.from(content as string), mode };
  });
  // By path, whatever the order of the keys; a directory so comes before what is in it.
  return [...directories, ...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
}
