import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import type { Place } from './place.ts';

const RANDOM_CHARACTERS = 6;

/** The name of the place's bridge; those of its other links go on with a dash. The kernel allows 15 characters. */
export function bridgeName(place: Place): string {
  return `icl-${place.name.slice(-RANDOM_CHARACTERS)}`;
}

/** The place's network links on the machine. */
export function listLinks(place: Place): string[] {
  const bridge = bridgeName(place);
  return readdirSync('/sys/class/net').filter((name) => name === bridge || name.startsWith(`${bridge}-`));
}

/** Addresses and routes go with their link. */
export function removeLinks(place: Place): void {
  for (const link of listLinks(place)) removeLink(link);
}

/** The kernel takes the link to a node away by itself, some time after the node has ended. */
export function removeLink(link: string): void {
  try {
    execFileSync('ip', ['link', 'delete', link], { stdio: 'ignore' });
  } catch (error) {
    if (existsSync(`/sys/class/net/${link}`)) throw error;
  }
}
