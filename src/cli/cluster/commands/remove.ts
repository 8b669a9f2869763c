import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterSite } from '../../../cluster/cluster-site.ts';
import {
  findListJob,
  isWorkedOff,
  readImageList,
  refuseBadImages,
  writeImageList,
  type ListVersion,
} from '../../../cluster/image-list-run.ts';
import { listImageUsers, type ImageUser } from '../../../cluster/list-image-users.ts';
import { requireManager } from '../../../cluster/require-manager.ts';
import type { RunEnd } from '../../../cluster/run-end.ts';
import { hasCode } from '../../../kube/kube-error.ts';
import { CliError } from '../../cli-error.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { confirm } from '../../output/confirm.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';
import { followToEnd, type FollowCommandOptions } from '../follow-to-end.ts';
import { formatRunEnd, runDocument } from '../show-run.ts';

export interface RemoveOptions extends ClusterOutputOptions, FollowCommandOptions {
  readonly wait: boolean;
  readonly yes: boolean;
  readonly replaceList: boolean;
}

/** `image-cleaner cluster remove`: removes these images from all nodes, by the ImageList that acts, and follows its run. */
export async function remove(context: CliContext, images: readonly string[], options: RemoveOptions): Promise<ExitCode> {
  refuseBadImages(images);
  if (images.includes('*')) refuseUnasked(context, options);
  return withSite(context, options, async (site) => {
    await requireManager(site);
    if (images.includes('*') && !options.yes && !(await confirm(context, EVERYTHING))) {
      context.stderr.write('Not confirmed: nothing was removed.\n');
      return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
    }
    const write = (): Promise<ListVersion> => writeImageList(site, { images, replaceList: options.replaceList });
    if (!options.wait) {
      const list = await write();
      await writeDocument(context.stdout, options.output, { list }, () => ASKED);
      return EXIT.done;
    }
    return followList(context, site, { images, options, write });
  });
}

const EVERYTHING = 'Remove every image that no container uses and no exclusion keeps, from all nodes of the cluster?';
const ASKED = 'The removal is asked for.\nTo follow it: image-cleaner cluster run --attach. To look at it: image-cleaner cluster status\n';

function refuseUnasked({ stdin, stderr }: CliContext, { yes }: RemoveOptions): void {
  if (yes || (stdin.isTTY === true && stderr.isTTY === true)) return;
  throw new CliError({
    code: 'refused',
    message: '"*" removes every unused image from all nodes, and there is no terminal to ask on.',
    hint: 'Confirm it with --yes.',
  });
}

interface ListRun {
  readonly images: readonly string[];
  readonly options: RemoveOptions;
  readonly write: () => Promise<ListVersion>;
}

async function followList(context: CliContext, site: ClusterSite, { images, options, write }: ListRun): Promise<ExitCode> {
  const written: { version: ListVersion } = { version: { uid: '', generation: 0 } };
  const begin = async (): Promise<void> => {
    written.version = await write();
  };
  const find = findListJob(
    () => written.version,
    () => readImageList(site),
  );
  const end = await followToEnd(context, site, { ...options, begin, find });
  if (end === null) return EXIT.interrupted;
  await untilTold(site, written.version);
  const users = await usersOf(context, site, images);
  const document = { ...runDocument(end), inUse: users };
  await writeDocument(context.stdout, options.output, document, () => formatRemoval(end, users));
  return end.phase === 'Completed' ? EXIT.done : EXIT.failed;
}

const TOLD_MS = 250;
const MOST_LOOKS = 40;

/** The manager tells it in the list a moment after the job; a next list would have to wait until then. */
async function untilTold(site: ClusterSite, { uid, generation }: ListVersion): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const list = await readImageList(site);
    if (list?.metadata.uid !== uid || list.metadata.generation !== generation || isWorkedOff(list)) return;
    await delay(TOLD_MS, undefined, { signal: site.call.signal });
  }
}

/** Who may not list the pods of all namespaces learns nothing of them. */
async function usersOf({ stderr }: CliContext, site: ClusterSite, images: readonly string[]): Promise<ImageUser[]> {
  return listImageUsers(site, images).catch((error: unknown) => {
    if (!hasCode(error, 'forbidden')) throw error;
    stderr.write('Which of the images pods use cannot be told: you may not list pods in all namespaces.\n');
    return [];
  });
}

const MOST_USERS = 20;

function formatRemoval(end: RunEnd, users: readonly ImageUser[]): string {
  const lines = users
    .slice(0, MOST_USERS)
    .map(({ image, namespace, pod, node }) => `    ${image}: pod ${namespace}/${pod}${node === null ? '' : ` on ${node}`}\n`);
  const rest = users.length > MOST_USERS ? `    and ${String(users.length - MOST_USERS)} more\n` : '';
  return `${formatRunEnd(end)}${lines.length === 0 ? '' : `  in use, so it stays there:\n${lines.join('')}${rest}`}`;
}
