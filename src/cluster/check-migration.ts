import * as z from 'zod';
import { IMAGE_LIST_NAME, parseImageList } from '../api/image-list.ts';
import type { ExclusionList } from '../api/exclusion-list.ts';
import { asErasers, erasersListOf } from '../core/exclusions/erasers-matching.ts';
import { compileExclusions } from '../core/exclusions/exclusions.ts';
import { compileImageList } from '../core/image-list.ts';
import type { NamedImage } from '../core/names.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { NODES } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';
import { judgeConfiguration } from './judge-configuration.ts';
import { IMAGE_LISTS } from './own-kinds.ts';
import { findOtherInstallation } from './preflight.ts';
import { readExclusions } from './read-exclusions.ts';
import { readInstallation, type FoundInstallation } from './read-installation.ts';

/** Something that will be otherwise than it is under Eraser. */
export interface MigrationFinding {
  /** `blocks`: no run begins, or there is nothing to migrate, until it is seen to. */
  readonly kind: 'blocks' | 'differs';
  /** `configuration`, `exclusions`, `lists`, `installation`. */
  readonly about: 'installation' | 'configuration' | 'exclusions' | 'lists';
  readonly what: string;
  /** A command, or what to change; null: nothing has to be done. */
  readonly next: string | null;
}

export interface MigrationCheck {
  readonly installation: FoundInstallation;
  readonly exclusionEntries: number;
  readonly images: readonly string[];
  readonly findings: readonly MigrationFinding[];
}

/** Looks at what was made for Eraser as Image Cleaner would read it. Only reads; throws a KubeError when something cannot be read. */
export async function checkMigration(site: ClusterSite): Promise<MigrationCheck> {
  const installation = await readInstallation(site);
  const [other, exclusions, seen, lists] = await Promise.all([
    findOtherInstallation(site),
    readExclusions(site),
    readImagesOnNodes(site),
    readImageLists(site),
  ]);
  const faults = exclusions.faults.map(({ configMap, message }): MigrationFinding => ({
    kind: 'blocks',
    about: 'exclusions',
    what: `the configmap ${configMap} cannot be read: ${message}`,
    next: `kubectl edit configmap -n ${site.namespace} ${configMap}`,
  }));
  const narrowed = seen === null ? [UNSEEN] : narrowedExclusions(exclusions.lists, seen);
  return {
    installation,
    exclusionEntries: exclusions.entries.length,
    images: lists.find(({ name }) => name === IMAGE_LIST_NAME)?.images ?? [],
    findings: [
      ...installationFindings(installation, other),
      ...configurationFindings(installation.configuration),
      ...faults,
      ...narrowed,
      ...lists.flatMap(listFindings),
    ],
  };
}

function installationFindings({ namespace, manager, configuration }: FoundInstallation, other: string | null): MigrationFinding[] {
  if (other !== null) {
    const what = `there is a manager in the namespace ${other}, not in ${namespace}: a second one would clean the same nodes`;
    return [{ kind: 'blocks', about: 'installation', what, next: `image-cleaner cluster migrate --check -n ${other}` }];
  }
  if (manager === null && configuration === null) {
    return [
      {
        kind: 'blocks',
        about: 'installation',
        what: `there is no Eraser in the namespace ${namespace}`,
        next: 'image-cleaner cluster enable',
      },
    ];
  }
  return [];
}

function configurationFindings(text: string | null): MigrationFinding[] {
  if (text === null) return [];
  const judged = judgeConfiguration(text);
  const at = (path: string): string => (path === '' ? '' : `${path}: `);
  if (!judged.ok) {
    return judged.errors.map(({ path, message }) => ({
      kind: 'blocks',
      about: 'configuration',
      what: `${at(path)}${message}`,
      next: 'Correct it in the configmap eraser-manager-config; docs/reference/eraserconfig.md has every key.',
    }));
  }
  return [...judged.warnings, ...judged.notices].map(({ path, message }) => ({
    kind: 'differs',
    about: 'configuration',
    what: `${at(path)}${message}`,
    next: null,
  }));
}

const UNSEEN: MigrationFinding = {
  kind: 'differs',
  about: 'exclusions',
  what: 'which images exclusions keep for Eraser alone is not told: you may not list nodes',
  next: 'Look with an account that may.',
};

/** By the images that kubelets tell of: of each node the 50 largest, unless it is set otherwise. */
function narrowedExclusions(lists: readonly ExclusionList[], images: readonly NamedImage[]): MigrationFinding[] {
  const compiled = compileExclusions([...lists, ...asErasers(lists)]);
  if (!compiled.ok) return [];
  return images.flatMap((image): MigrationFinding[] => {
    const match = compiled.exclusions.match(image);
    const list = match === null ? null : erasersListOf(match.list);
    if (match === null || list === null) return [];
    const [tag = ''] = image.repoTags;
    return [
      {
        kind: 'differs',
        about: 'exclusions',
        what: `"${match.entry}" in ${list} keeps ${tag} for Eraser; for Image Cleaner only until an automatic run has completed`,
        next: `image-cleaner cluster exclude add '${tag.replace(/:[^:/]*$/, '')}:*'`,
      },
    ];
  });
}

const nodeSchema = z.object({
  status: z.object({ images: z.array(z.object({ names: z.array(z.string()).nullish() })).default([]) }),
});

/** Each once; null: who asks may not list nodes. */
async function readImagesOnNodes({ client, call }: ClusterSite): Promise<NamedImage[] | null> {
  const trim = (node: KubeObject): string[][] => nodeSchema.parse(node).status.images.map(({ names }) => names ?? []);
  const listed = await client.list({ resource: NODES }, { trim }, call).catch((error: unknown) => {
    if (hasCode(error, 'forbidden')) return null;
    throw error;
  });
  if (listed === null) return null;
  const byNames = new Map(listed.items.flat().map((names) => [names.toSorted().join(' '), names]));
  return [...byNames.values()].map((names) => ({
    // A kubelet tells of no ids.
    id: '',
    repoTags: names.filter((name) => !name.includes('@')),
    repoDigests: names.filter((name) => name.includes('@')),
  }));
}

interface FoundList {
  readonly name: string;
  readonly images: readonly string[];
}

async function readImageLists({ client, call }: ClusterSite): Promise<FoundList[]> {
  const trim = (object: KubeObject): FoundList => {
    const parsed = parseImageList(object);
    return { name: object.metadata.name, images: parsed.ok ? (parsed.value.spec?.images ?? []) : [] };
  };
  const listed = await client.list({ resource: IMAGE_LISTS }, { trim }, call).catch((error: unknown) => {
    if (hasCode(error, 'not-found')) return { items: [] };
    throw error;
  });
  return listed.items;
}

function listFindings({ name, images }: FoundList): MigrationFinding[] {
  const edit = `kubectl edit imagelist ${name}`;
  if (name !== IMAGE_LIST_NAME) {
    return [
      { kind: 'differs', about: 'lists', what: `the list ${name} does nothing, as under Eraser: only ${IMAGE_LIST_NAME} acts`, next: null },
    ];
  }
  const compiled = compileImageList(images);
  const what = `the list ${name}, which is worked off once, has`;
  if (compiled.ok) return [];
  return compiled.errors.map(({ entry, message }) => ({
    kind: 'differs',
    about: 'lists',
    what: `${what} the entry "${entry}": ${message}`,
    next: edit,
  }));
}
