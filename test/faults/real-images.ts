import { buildImage, buildLayer, type Image, type Layer } from '../../lab/images.ts';
import { busyboxLayer, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';

/** The images of one run, which no earlier run has seen: by the rules of `demoDatabase`. */
export interface RunImages {
  /** On all nodes, used by nothing, vulnerable: they must go. */
  readonly sick: readonly Image[];
  /** On all nodes, used by nothing: they must stay. */
  readonly well: readonly Image[];
  /** By node: vulnerable, and a container runs it. */
  readonly used: ReadonlyMap<string, Image>;
  /** That only a verdict can decide on, over all nodes, each once. */
  readonly distinct: number;
}

const SICK = 24;
const WELL = 10;
/** So many files take a runtime long enough to delete that a removal can be seen while it goes on, and Trivy long enough to read. */
const FILES = 1_200;

export async function makeRunImages(run: string, nodes: readonly string[]): Promise<RunImages> {
  const busybox = await busyboxLayer();
  const one = (name: string, openssl: string, more: readonly Layer[] = []): Image =>
    buildImage({
      refs: [`docker.io/library/${name}`],
      layers: [...more, contentOf(`${run} ${name}`, openssl)],
      config: { entrypoint: RUN_UNTIL_STOPPED },
    });
  const several = (count: number, kind: string, openssl: string): Image[] =>
    Array.from({ length: count }, (_, at) => one(`${kind}-${run}:${String(at + 1)}`, openssl));
  const sick = several(SICK, 'sick', '3.0.0-r0');
  const well = several(WELL, 'well', '3.5.1-r0');
  const used = new Map(nodes.map((node) => [node, one(`used-${run}-${node}:1`, '3.0.0-r0', [busybox])]));
  return { sick, well, used, distinct: sick.length + well.length };
}

function contentOf(mark: string, openssl: string): Layer {
  const many = Array.from({ length: FILES }, (_, at) => [`srv/${String(at % 40)}/${String(at)}`, `${mark} ${String(at)}`] as const);
  return buildLayer({
    files: { ...alpineFiles('3.22.0', [{ name: 'openssl', version: openssl }]), ...Object.fromEntries(many) },
    gzip: true,
  });
}
