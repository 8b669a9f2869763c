import { mkdirSync, mkdtempSync, readdirSync, statfsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isRunningSince, startTicks } from './processes.ts';

/** All that a private containerd occupies on the machine carries one name, by which it can be found and removed. */
export interface Place {
  /** `image-cleaner-lab-<owner's pid>-<owner's start>-<random>`: the name of both directories and of the control group. */
  readonly name: string;
  /** What a reboot may leave: images, snapshots, configuration, log. */
  readonly root: string;
  /** What a reboot clears: sockets, mounts of running containers. Unix socket paths end at 107 bytes, so it is a short one. */
  readonly state: string;
  readonly socket: string;
}

const PREFIX = 'image-cleaner-lab-';
/** On a disk: overlayfs can't put its upper directory on every kind of memory filesystem, and /tmp often is one. */
const ROOT_PARENT = '/var/tmp';
const STATE_PARENT = '/run';

export function makePlace(): Place {
  const owner = `${process.pid}-${startTicks(process.pid) ?? '0'}`;
  const name = basename(mkdtempSync(join(ROOT_PARENT, `${PREFIX}${owner}-`)));
  const place = placeOf(name);
  mkdirSync(place.state, { mode: 0o700 });
  return place;
}

/** The places of owners that died without removing them. */
export function listAbandonedPlaces(): Place[] {
  const names = new Set([ROOT_PARENT, STATE_PARENT].flatMap((parent) => readdirSync(parent)).filter((name) => name.startsWith(PREFIX)));
  return [...names].filter(isAbandoned).map(placeOf);
}

/** overlayfs, except where the place lies on an overlayfs itself (as in most containers), which can't be stacked so. */
export function chooseSnapshotter(place: Place): 'overlayfs' | 'native' {
  const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
  return statfsSync(place.root).type === OVERLAYFS_SUPER_MAGIC ? 'native' : 'overlayfs';
}

function placeOf(name: string): Place {
  const state = join(STATE_PARENT, name);
  return { name, root: join(ROOT_PARENT, name), state, socket: join(state, 'containerd.sock') };
}

function isAbandoned(name: string): boolean {
  const [, pid, start] = /^(\d+)-(\d+)-/.exec(name.slice(PREFIX.length)) ?? [];
  return pid !== undefined && start !== undefined && !isRunningSince(Number(pid), start);
}
